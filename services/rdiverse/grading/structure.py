r"""Reads an answer into its form: lists, tuples, intervals, sets, unions, relations, and the expressions inside.

The rules, in the order they are tried: `\pm` makes two answers; unions; top-level commas, semicolons, "and" and "or" make
lists; relations make intervals where they bound one symbol, labels where they name one; brackets with commas make tuples,
intervals and sets; anything else is an expression; what is none stays text.
"""

import re

from rdiverse.grading import relations
from rdiverse.grading.algebra import number
from rdiverse.grading.errors import LongProductError, UnreadableError
from rdiverse.grading.evaluate import evaluate
from rdiverse.grading.forms import Form, group, of_percent, of_text, of_value
from rdiverse.grading.lexer import cleaned, tokens
from rdiverse.grading.numbers import TooLargeError
from rdiverse.grading.parser import parse
from rdiverse.grading.units import without_units
from rdiverse.grading.vocabulary import KNOWN, WORDS

MAX_CHARACTERS = 2000
MAX_NESTING = 40
"""An answer that is longer, or nested more deeply, is only compared as text."""

_THOUSANDS = re.compile(r"(?<![\d.,}])([1-9]\d{0,2}(?:(?:\{,\}|\s?,\\!|\\,|\s?,\\?\s?\\!)\d{3})+)(?![\d])")
_PLAIN_THOUSANDS = re.compile(r"(?<![\d.,])([1-9]\d{0,2}(?:,\d{3})+)(?![\d,])")
_SPACED_THOUSANDS = re.compile(r"\A\s*[-+]?[1-9]\d{0,2}(?: \d{3})+(?:\.\d+)?\s*\Z")
_CONJUNCTION = re.compile(
    r"\\(?:text|textrm|mbox|mathrm)\s*\{\s*,?\s*(?:and|or)\s*\}|(?<=[\s\d})\]])(?:and|or)(?=[\s\d\\({\[])"
)
_BASED = re.compile(r"\A\s*(\d[0-9A-F]{0,199})\s*_\s*\{?\s*(\d{1,2})\s*\}?\s*\Z")
_SUBSCRIPT = re.compile(r"_\s*(?:\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}|\w+)|\\[A-Za-z]+")
_COMMAND = re.compile(r"\\[A-Za-z]+")
_RUN = re.compile(r"[A-Za-z]+")
# Where a parameter runs is said, or not, of the same answer.
_DOMAIN = re.compile(r"\A\s*[a-z]\s*\\in\s*\\math(?:bb|bf|rm)\s*\{?\s*[ZNQRC]\s*\}?\s*\Z")
_SIGNS = re.compile(r"\\pm(?![A-Za-z])|\\mp(?![A-Za-z])")
_WRAPPED = re.compile(
    r"\A\\(?:boxed|fbox|text|textrm|textbf|textit|mbox|mathrm|mathbf|mathit)\s*(\{(?:.*\d.*|\s*\(?[A-Za-z]\)?\.?\s*)\})\Z",
    re.DOTALL,
)
_LEAD = re.compile(r"\A(?:\\(?:approx|sim|simeq|implies|Rightarrow|therefore)(?![A-Za-z])|=)\s*")
_OPENING = {"(": ")", "[": "]", r"\{": r"\}"}
_MATRIX = re.compile(r"\A\\begin\{(?:[pbvBV]?matrix|array)\}(?:\{[lcr|]*\})?(.*)\\end\{[a-zA-Z]*\}\Z", re.DOTALL)


def read(text: str) -> Form:
    """The form of an answer. Any text has one."""
    if len(text) > MAX_CHARACTERS or _nesting(text) > MAX_NESTING:
        return of_text(_as_words(text), "")
    plain = cleaned(_joined_thousands(text)).strip().rstrip(".\\").strip()
    while (wrapped := _WRAPPED.match(plain)) and _spans(wrapped[1]):
        plain = wrapped[1][1:-1].strip()
    plain = _LEAD.sub("", plain)
    try:
        return _answer(plain)
    except LongProductError:
        return of_text(_as_words(plain), plain)
    except UnreadableError:
        return of_text(_as_words(plain), "" if KNOWN.issuperset(_COMMAND.findall(plain)) else plain)
    except TooLargeError:
        return of_text(_as_words(plain), "")  # no library should try what this one knows to be hopeless


def _answer(text: str) -> Form:
    if _SIGNS.search(text):
        upper = text.replace(r"\pm", "+").replace(r"\mp", "-")
        lower = text.replace(r"\pm", "-").replace(r"\mp", "+")
        return group("list", [_answer(upper), _answer(lower)], ordered=False)
    matrix = _MATRIX.match(text)
    if matrix:
        rows = [row.split("&") for row in re.split(r"\\\\", matrix[1].strip()) if row.strip()]
        return group("matrix", [group("[]", [_item(cell) for cell in row]) for row in rows])
    listed = _CONJUNCTION.sub(",", text)
    parts = [part for part in split(listed, (",", ";")) if part.strip()]
    if not parts:
        raise UnreadableError("nothing")
    items = [_item(part) for part in parts if not _DOMAIN.match(part)] or [_item(parts[0])]
    alternatives = listed != text and " or" in text.replace("{or", " or")
    if len(items) == 1 or (alternatives and len({item.key for item in items}) == 1):
        return items[0]  # "3/4 or 0.75" is one answer
    return relations.as_list(items)


def _item(text: str) -> Form:
    """One member of a list, tuple or set."""
    text = _joined_plain_thousands(without_units(text.strip().rstrip(".").strip()))
    for sign, ordered in ((r"\cup", False), (r"\cap", False), (r"\setminus", True)):
        parts = split(text, (sign,))
        if len(parts) > 1:
            return group(
                {r"\cup": "union", r"\cap": "intersection"}.get(sign, "difference"), [_item(p) for p in parts], ordered
            )
    related = relations.read(text, _item, _bracketed)
    if related is not None:
        return related
    return _bracketed(text)


def _bracketed(text: str) -> Form:
    """A tuple, interval or set when brackets hold all of the text and a comma; else an expression."""
    text = text.strip()
    opening = next((mark for mark in _OPENING if text.startswith(mark)), None)
    if opening and any(text.endswith(mark) for mark in _OPENING.values()) and _spans(text):
        closing = next(mark for mark in _OPENING.values() if text.endswith(mark))
        inside = text[len(opening) : -len(closing)]
        parts = split(inside, (",", ";"))
        if opening == r"\{":
            if closing != r"\}":
                raise UnreadableError("brackets that do not match")
            return relations.set_builder(inside) or group("set", [_item(part) for part in parts if part.strip()], ordered=False)
        if len(parts) > 1:
            return group(opening + closing, [_item(part) for part in parts])
    if text.startswith("{") and text.endswith("}") and _spans(text) and len(split(text[1:-1], (",",))) > 1:
        return group("set", [_item(part) for part in split(text[1:-1], (",",))], ordered=False)
    return _expression(text)


def _expression(text: str) -> Form:
    ratio = split(text, (":",))
    if len(ratio) > 1:
        return relations.ratio([_expression(part) for part in ratio])
    based = _BASED.match(text)
    if based:
        return _in_base(*based.groups())
    return group("set", [], ordered=False) if text == r"\emptyset" else _value(text)


def _value(text: str) -> Form:
    """A number or an expression, or one word."""
    found = tokens(text)
    if len(found) == 1 and found[0].kind == "text":
        return of_text(_as_words(found[0].value), "")
    # Letters with nothing between them are a product only as long as they are few.
    if _longest_word(text) > 3 or text.casefold() in {"yes", "no"}:
        if text.isalpha():
            return of_text(_as_words(text), "")
        raise UnreadableError("words")
    if len(found) > 1 and found[-1].value == "%":
        node = parse(found[:-1])  # of all that stands before it, as in 2 1/2 %
        return of_percent(evaluate(node), node)
    node = parse(found)
    return of_value(evaluate(node), node)


def _in_base(digits: str, base: str) -> Form:
    """A numeral such as 101_2 is its value."""
    try:
        value = int(digits, int(base))
    except ValueError as error:
        raise UnreadableError("digits that the base does not have") from error
    return of_value(number(value), ("number", str(value)))


def _longest_word(text: str) -> int:
    """Length of the longest run of letters that is no command, function name or subscript."""
    runs = _RUN.findall(_SUBSCRIPT.sub("", text))
    return max((len(run) for run in runs if not any(word in run for word in WORDS)), default=0)


def split(text: str, separators: tuple[str, ...]) -> list[str]:
    """Split at separators that stand outside of all brackets. Intervals may close with another kind of bracket."""
    parts, depth, start, position = [], 0, 0, 0
    while position < len(text):
        step = 1
        if text[position] == "\\":
            word = re.match(r"\\(?:[A-Za-z]+|.)", text[position:], re.DOTALL)
            command = word.group() if word else "\\"
            step = len(command)
            depth += {r"\{": 1, r"\}": -1, r"\lfloor": 1, r"\rfloor": -1, r"\lceil": 1, r"\rceil": -1}.get(command, 0)
            hit = command in separators
        else:
            depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(text[position], 0)
            hit = text[position] in separators
        if hit and depth == 0:
            parts.append(text[start:position])
            start = position + step
        position += step
    if depth:
        raise UnreadableError("brackets that do not match")
    return [*parts, text[start:]]


def _spans(text: str) -> bool:
    """Whether the first bracket closes at the very end."""
    depth = 0
    for match in re.finditer(r"\\[{}]|\\.|[()\[\]{}]", text):
        mark = match.group().lstrip("\\")
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(mark, 0)
        if depth == 0 and mark:
            return match.end() == len(text)
    return False


def _nesting(text: str) -> int:
    """Most brackets that are open at once."""
    depth = deepest = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    return deepest


def _joined_thousands(text: str) -> str:
    text = _THOUSANDS.sub(lambda match: re.sub(r"\D", "", match[1]), text)
    return text.replace(" ", "") if _SPACED_THOUSANDS.match(text) else _joined_plain_thousands(text)


def _joined_plain_thousands(text: str) -> str:
    """Join digits at commas, outside of brackets only: (7,103) is a pair."""
    if "," not in text or re.search(r"[(\[]|\\\{", text):
        return text
    return _PLAIN_THOUSANDS.sub(lambda match: match[1].replace(",", ""), text)


def _as_words(text: str) -> str:
    """Text without fonts, white space, case and a full stop."""
    text = re.sub(r"\\(?:text|textrm|textbf|mbox|mathrm)\s*\{([^{}]*)\}", r"\1", text)
    return "".join(text.split()).strip(".").casefold()
