r"""Reads an answer into its form: what it is, before anything in it multiplies.

The rules, in the order they are tried: times and dates; systems, matrices and determinants; quantities of several units;
top-level commas, semicolons, "and" and "or" make lists; then, for each member: unions; relations, which name a value, bound a
symbol or stand for themselves; a unit behind the rest; brackets with commas (tuples, intervals, sets); ratios; numerals in a
base; words and codes; an expression. What is none stays text.
"""

import re
from dataclasses import replace
from fractions import Fraction
from itertools import product

from rdiverse.grading import clock, relations, units
from rdiverse.grading.algebra import Sum, add, number, scale
from rdiverse.grading.errors import LongProductError, UnreadableError
from rdiverse.grading.evaluate import evaluate
from rdiverse.grading.forms import Form, group, of_text, of_value
from rdiverse.grading.lexer import cleaned, tokens
from rdiverse.grading.matrices import determinant
from rdiverse.grading.numbers import TooLargeError
from rdiverse.grading.parser import parse
from rdiverse.grading.split import nesting, spans, split
from rdiverse.grading.vocabulary import KNOWN, WORDS
from rdiverse.grading.words import as_words, flat, has_words, is_code, is_word

MAX_CHARACTERS = 2000
MAX_NESTING = 40
"""An answer that is longer, or nested more deeply, is only compared as text."""
_MOST_SIGNS = 3
"""Plus-minus signs in one member, each of which doubles it."""

_THOUSANDS = re.compile(r"(?<![\d.,}])([1-9]\d{0,2}(?:(?:\{,\}|\s?,\\!\s?|\\,|\\ |\s?,\\?\s?\\!)\d{3})+)(?![\d])")
_PLAIN_THOUSANDS = re.compile(r"(?<![\d.,])([1-9]\d{0,2}(?:,\d{3})+)(?![\d,])")
_SPACED_THOUSANDS = re.compile(r"\A\s*[-+]?[1-9]\d{0,2}(?: \d{3})+(?:\.\d+)?\s*\Z")
_CONJUNCTION = re.compile(
    r"\\(?:text|textrm|mbox|mathrm)\s*\{\s*,?\s*(?:and|or)\s*\}|(?<=[\s\d})\]])(?:and|or)(?=[\s\d\\({\[])"
)
_BASED = re.compile(r"\A\s*\(?\s*(\d[0-9A-F]{0,199})\s*\)?\s*_\s*\{?\s*\(?(\d{1,2})\)?\s*\}?\s*\Z")
_REMAINDER = re.compile(r"\A\s*(\d+)\s*(?:R\.?|r\.?|remainder|with\s+remainder)\s*(\d+)\s*\Z")
_SUBSCRIPT = re.compile(r"_\s*(?:\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}|\w+)|\\[A-Za-z]+")
_COMMAND = re.compile(r"\\[A-Za-z]+")
_RUN = re.compile(r"[A-Za-z]+")
# Where a parameter runs is said, or not, of the same answer.
_DOMAIN = re.compile(r"\A\s*[a-z]\s*\\in\s*\\math(?:bb|bf|rm)\s*\{?\s*[ZNQRC]\s*\}?\s*\Z")
_SIGNS = re.compile(r"\\(pm|mp)(?![A-Za-z])")
_WRAPPED = re.compile(
    r"\A(?:\\(?:boxed|fbox|text|textrm|textbf|textit|mbox|mathrm|mathbf|mathit|mathtt|mathsf)\s*)?(\{.*\})\Z", re.DOTALL
)
_LEAD = re.compile(r"\A(?:\\(?:approx|sim|simeq|implies|Rightarrow|therefore)(?![A-Za-z])|=)\s*")
_OPENING = {"(": ")", "[": "]", r"\{": r"\}"}
_MATRIX = re.compile(
    r"\A(?P<left>\[|\(|\||\\\{)?\s*\\begin\{(?P<name>(?:small)?[pbvBV]?matrix|array|cases|aligned)\}(?:\{[lcr|\s]*\})?"
    r"(?P<rows>.*)\\end\{[a-zA-Z]*\}\s*[])|]?\Z",
    re.DOTALL,
)


def read(text: str) -> Form:
    """The form of an answer. Any text has one."""
    if len(text) > MAX_CHARACTERS or nesting(text) > MAX_NESTING:
        return of_text(as_words(text[:MAX_CHARACTERS]) + text[MAX_CHARACTERS:], "")
    plain = _unwrapped(cleaned(_joined_thousands(text)).strip().rstrip(".\\").strip())
    plain = _joined_plain_thousands(_LEAD.sub("", plain))
    try:
        return _answer(plain)
    except LongProductError:
        return of_text(as_words(plain), plain)
    except UnreadableError:
        return of_text(as_words(plain), "" if KNOWN.issuperset(_COMMAND.findall(plain)) else plain)
    except TooLargeError:
        return of_text(as_words(plain), "")  # no library should try what this one knows to be hopeless


def _unwrapped(text: str) -> str:
    """The text inside of fonts, boxes and braces; braces around several members are those of a set."""
    while (wrapped := _WRAPPED.match(text)) and spans(wrapped[1]):
        inside = wrapped[1][1:-1].strip()
        if wrapped[1] == text and "," in inside and len(split(inside, (",",))) > 1:
            break
        text = inside
    return text.removeprefix(r"\boxed")


def _answer(text: str) -> Form:
    whole = clock.read(flat(text)) or _quantity_in_parts(text)
    if whole:
        return whole
    table = _MATRIX.match(text)
    if table:
        return _table(table["name"], table["left"] or "", table["rows"])
    listed = _CONJUNCTION.sub(",", text)
    members = [part for part in split(listed, (",", ";")) if part.strip()]
    if not members:
        raise UnreadableError("nothing")
    items = [item for part in members if not _DOMAIN.match(part) for item in _members(part)] or [_item(members[0])]
    alternatives = listed != text and " or" in text.replace("{or", " or")
    if len(items) == 1 or (alternatives and len({item.key for item in items}) == 1):
        return items[0]  # "3/4 or 0.75" is one answer
    return relations.as_list(items)


def _table(name: str, left: str, body: str) -> Form:
    r"""Rows of cells: a system is the list of its lines, a determinant its value."""
    rows = [row.strip().split("&") for row in re.split(r"\\\\", body.strip()) if row.strip()]
    if name in {"cases", "aligned"} or left == r"\{":
        if all(len([cell for cell in row if cell.strip()]) == 1 for row in rows) or name == "aligned":
            return relations.as_list([_item("".join(row).rstrip(", ")) for row in rows])
        return group("cases", [group("row", [_item(cell) for cell in row]) for row in rows], ordered=False)
    if name == "vmatrix" or left == "|":
        cells = [[_value(cell).value or number(0) for cell in row] for row in rows]
        return of_value(determinant(cells), ())
    return group("matrix", [group("row", [_item(cell) for cell in row]) for row in rows])


def _members(text: str) -> list[Form]:
    r"""One member of a list, tuple or set, once for each choice of its plus-minus signs; \mp goes against \pm."""
    signs = _SIGNS.findall(text)
    if not signs or text.strip().startswith(r"\{"):
        return [_item(text)]
    if len(signs) > _MOST_SIGNS:
        raise UnreadableError("too many plus-minus signs")
    between = re.split(r"\\(?:pm|mp)(?![A-Za-z])", text)
    upper = ["+" if sign == "pm" else "-" for sign in signs]
    together = [upper, ["-" if sign == "+" else "+" for sign in upper]]
    choices = together if "mp" in signs else product("+-", repeat=len(signs))
    return [_item("".join(map("".join, zip(between, [*choice, ""], strict=True)))) for choice in choices]


def _item(text: str) -> Form:
    """One member of a list, tuple or set."""
    text = units.with_magnitudes(_unwrapped(_joined_plain_thousands(text.strip().rstrip(".").strip())))
    for sign, ordered in ((r"\cup", False), (r"\cap", False), (r"\setminus", True)):
        operands = split(text, (sign,))
        if len(operands) > 1:
            return group(
                {r"\cup": "union", r"\cap": "intersection"}.get(sign, "difference"), [_item(p) for p in operands], ordered
            )
    return relations.read(text, _item, _measured) or _measured(text)


def _measured(text: str) -> Form:
    """A quantity when a unit stands behind the rest, else what the brackets say."""
    several = clock.read(flat(text.strip())) or _quantity_in_parts(text)
    if several:
        return several
    rest, unit = units.split(text)
    if unit is None:
        return _bracketed(_joined_plain_thousands(rest))
    try:
        return _quantity(_bracketed(_joined_plain_thousands(rest)), unit)
    except UnreadableError:
        return _bracketed(text)


def _quantity(amount: Form, unit: units.Unit) -> Form:
    """An amount of a unit; against a gold answer the amount may stand alone."""
    if amount.kind.startswith("quantity"):
        raise UnreadableError("two units")
    readings: tuple[Form, ...] = (amount,)
    if len(unit.name) == 1 and amount.value is not None and amount.value.constant is not None:
        readings += (_value(f"{amount.key}*{unit.name}"),)  # 5 m may be a product
    return replace(_measure([(amount, unit)]), readings=readings)


def _quantity_in_parts(text: str) -> Form | None:
    amounts = [(_value(amount), unit) for amount, unit in units.parts(text)]
    return _measure(amounts) if amounts else None


def _measure(amounts: list[tuple[Form, units.Unit]]) -> Form:
    """Amounts of units together, in base units of their dimension where there is a table for them."""
    text = " ".join(rf"{amount.written} \text{{{unit.name}}}" for amount, unit in amounts)
    names = frozenset(unit.name for _, unit in amounts)
    total, base = amounts[0][0], amounts[0][1].name
    worths = [units.worth(unit) for _, unit in amounts]
    if worths[0] is not None and total.value is not None:
        base = worths[0][1]
        factors = [worth[0] for worth in worths if worth is not None]
        values = [amount.value for amount, _ in amounts if amount.value is not None]
        node = (
            "add",
            *(("multiply", ("number", str(f)), amount.node) for f, (amount, _) in zip(factors, amounts, strict=True)),
        )
        total = of_value(add(*map(scale, values, factors)), node)
    return Form(f"quantity {base}", rf"({total.key}) \text{{{base}}}", (total,), units=names, text=text)


def _bracketed(text: str) -> Form:
    """A tuple, interval or set when brackets hold all of the text and a comma; else an expression."""
    text = text.strip()
    opening = next((mark for mark in _OPENING if text.startswith(mark)), None)
    if opening and any(text.endswith(mark) for mark in _OPENING.values()) and spans(text):
        closing = next(mark for mark in _OPENING.values() if text.endswith(mark))
        inside = text[len(opening) : -len(closing)]
        members = split(inside, (",", ";"))
        if opening == r"\{":
            if closing != r"\}":
                raise UnreadableError("brackets that do not match")
            return relations.set_builder(inside) or _set(members)
        if len(members) > 1:
            return group(opening + closing, [_item(part) for part in members])
    if text.startswith("{") and text.endswith("}") and spans(text) and len(split(text[1:-1], (",",))) > 1:
        return _set(split(text[1:-1], (",",)))
    return _expression(text)


def _set(members: list[str]) -> Form:
    return group("set", [item for part in members if part.strip() for item in _members(part)], ordered=False)


def _expression(text: str) -> Form:
    ratio = split(re.sub(r"(?<=[\d}])\s+to\s+(?=[\d\\])", ":", text), (":",))
    if len(ratio) > 1:
        return relations.ratio([_expression(part) for part in ratio], clock.bare(text))
    if based := _BASED.match(text):
        return _in_base(*based.groups())
    if remainder := _REMAINDER.match(flat(text)):
        return Form("remainder", " R ".join(remainder.groups()))
    if text == r"\emptyset":
        return group("set", [], ordered=False)
    if is_code(text) or is_word(text):
        return of_text(as_words(text), "")
    return _value(text)


def _value(text: str) -> Form:
    """A number or an expression."""
    found = tokens(text)
    if _longest_word(text) > 3 or has_words(text):
        raise UnreadableError("words")
    if len(found) > 1 and found[-1].value == "%":
        return _percent(evaluate(parse(found[:-1])))  # of all that stands before it, as in 2 1/2 %
    node = parse(found)
    return of_value(evaluate(node), node)


def _percent(value: Sum) -> Form:
    """A percentage, which may stand for its number and for a hundredth of that: both are usual answers."""
    readings = tuple(of_value(one, ("number", "0")) for one in (value, scale(value, Fraction(1, 100))))
    key = f"{value.key}%" if value.key.isdigit() else f"({value.key})%"
    return Form("percent", key, readings=readings, units=frozenset("%"))


def _in_base(digits: str, base: str) -> Form:
    """A numeral such as 101_2 is its value."""
    try:
        value = int(digits, int(base))
    except ValueError as error:
        raise UnreadableError("digits that the base does not have") from error
    return of_value(number(value), ("number", str(value)))


def _longest_word(text: str) -> int:
    """Length of the longest run of letters that is no command, function name, subscript or capitals."""
    runs = _RUN.findall(_SUBSCRIPT.sub("", text))
    return max((len(run) for run in runs if not run.isupper() and not any(word in run for word in WORDS)), default=0)


def _joined_thousands(text: str) -> str:
    text = _THOUSANDS.sub(lambda match: re.sub(r"\D", "", match[1]), text)
    return text.replace(" ", "") if _SPACED_THOUSANDS.match(text) else _joined_plain_thousands(text)


def _joined_plain_thousands(text: str) -> str:
    """Join digits at commas, outside of brackets only: (7,103) is a pair."""
    if "," not in text or re.search(r"[(\[]|\\\{", text):
        return text
    return _PLAIN_THOUSANDS.sub(lambda match: match[1].replace(",", ""), text)
