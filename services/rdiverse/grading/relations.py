"""Equations, inequalities and ratios inside an answer."""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from math import gcd, lcm

from rdiverse.grading.algebra import UNIT, Sum, add, multiply, number, scale, symbol
from rdiverse.grading.errors import UnreadableError
from rdiverse.grading.forms import Form, group, labelled, of_value, with_label
from rdiverse.grading.numbers import written
from rdiverse.grading.powers import rational_power
from rdiverse.grading.vocabulary import GREEK

_SIGN = re.compile(r"<=|>=|!=|\\(?:leqslant|geqslant|leq|geq|le|ge|neq|ne|lt|gt|equiv|approx|simeq|doteq|in)(?![A-Za-z])|[=<>]")
_NAMES = {
    "<=": "<=", r"\leqslant": "<=", r"\leq": "<=", r"\le": "<=", ">=": ">=", r"\geqslant": ">=", r"\geq": ">=",
    r"\ge": ">=", "!=": "!=", r"\neq": "!=", r"\ne": "!=", r"\lt": "<", r"\gt": ">", "=": "=", "<": "<", ">": ">",
    r"\in": "in", r"\equiv": "=", r"\approx": "~", r"\simeq": "~", r"\doteq": "~",
}  # fmt: skip
_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "!=": "!="}
# What an equation may name: letters with accents, subscripts and primes, words, a function's value, a length or a modulus
# between bars, an angle by its points, or a quotient of segments.
_SCRIPT = r"(?:\s*_\s*(?:\w|\\[A-Za-z]+|\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}))?'*"
_POINTS = rf"(?:[A-Z]{_SCRIPT})+"
_ACCENTED = r"\\(?:bar|overline|hat|vec|overrightarrow|mathbb|mathbf|mathcal|mathrm|operatorname)\s*\{\s*\w+\s*\}"
_LETTER = rf"(?:{_ACCENTED}|\\(?:{'|'.join(sorted(GREEK))}|Pr)(?![A-Za-z])|[A-Z]{{2,}}|[A-Za-z]\d?){_SCRIPT}"
_NAME = re.compile(
    rf"\s*(?:\\(?:angle|triangle)\s*(?:[A-Z]{_SCRIPT}\s*)+"
    # Of a function of what is not a letter or number, the name has to look like a function's: x(y+1) is a product.
    rf"|{_LETTER}(?:\s*\(\s*[\w\s,]*\))?|(?:[fghpFGHPQREVSTN]|\\Pr|{_ACCENTED}){_SCRIPT}(?:\^\{{?-1\}}?)?\s*\(.*\)"
    rf"|\|\s*(?:[A-Z]{{2,}}|{_ACCENTED})\s*\||\\frac\s*\{{\s*{_POINTS}\s*\}}\s*\{{\s*{_POINTS}\s*\}}|{_POINTS}\s*[:/]\s*{_POINTS}"
    r"|(?:the\s+)?(?:[A-Za-z]{4,}|[Ss]um|[Mm]ax|[Mm]in)(?:\s+[A-Za-z]+)*"
    r"|\\(?:text|textrm|textbf|mbox)\s*\{[^{}]*\})\s*\Z"
)
_TUPLE = re.compile(r"\A\s*\(\s*(?:\\?[A-Za-z]\w*\s*,\s*)+\\?[A-Za-z]\w*\s*\)\s*\Z")
# Everyone reads these as bounded; of other letters the order may be the answer.
_VARIABLES = frozenset(["x", "y", "z", "t", r"\theta"])

_INFINITY = ("symbol", r"\infty")
_MINUS_INFINITY = ("multiply", ("number", "-1"), _INFINITY)

Reader = Callable[[str], Form]


def read(text: str, item: Reader, plain: Reader) -> Form | None:
    """The form of a text with relation signs outside of brackets, or behind a name and a colon; None without any."""
    sides, signs = _split(text)
    if "~" in signs:
        # What stands before the sign is the answer, unless it is a name: then what stands behind.
        first = signs.index("~")
        if first or not _is_name(sides[0]):
            sides, signs = sides[: first + 1], signs[:first]
            return read_sides(sides, signs, item, plain) if signs else item(sides[0])
        return labelled(item(sides[1]), _label(sides[0]))
    if signs:
        return read_sides(sides, signs, item, plain)
    called = re.match(r"\A\s*(?:\\text\s*\{)?([A-Za-z][A-Za-z ]{2,}):?\}?\s*:\s*(?=\S)", text)
    return labelled(item(text[called.end() :]), called[1]) if called else None


def read_sides(sides: list[str], signs: list[str], item: Reader, plain: Reader) -> Form:
    """The form of an equation, inequality, chain or membership."""
    if signs == ["in"] and _is_name(sides[0]):
        return item(sides[1])
    if all(sign == "=" for sign in signs):
        return _equation(sides, item, plain)
    if "in" not in signs and "~" not in signs:
        return _inequality([plain(side) for side in sides], signs)
    raise UnreadableError("a chain of relations")


def _equation(sides: list[str], item: Reader, plain: Reader) -> Form:
    """Read equations: a name counts only beside other names, so x = 5 is 5; a chain x = 2 + 3 = 5 is its end.

    A named expression of other symbols, as in y = 2x + 1, is the expression and may stand for the equation. An equation that
    names nothing is left minus right, up to a factor.
    """
    if len(sides) == 2 and _TUPLE.match(sides[0]):
        named = item(sides[1])
        if named.kind == "()" and len(named.items) == sides[0].count(",") + 1:
            return labelled(named, _label(sides[0]))
    if _is_name(sides[0]):
        named = item(sides[-1])
        if len(sides) == 2 and named.value is not None and named.value.constant is None:
            with suppress(UnreadableError):
                return labelled(named, _label(sides[0]), _as_equation(plain(sides[0]), named))
        if len(sides) > 2 and all(_is_symbol(_known(plain(side))) for side in sides):
            return group("chain" + " =" * (len(sides) - 1), [plain(side) for side in sides])
        return labelled(named, _label(sides[0]))
    left, right = plain(sides[0]), plain(sides[-1])
    if len(sides) == 2 and _is_name(sides[1]) and left.value is not None and left.value.constant is not None:
        return labelled(left, _label(sides[1]))
    return _as_equation(left, right)


def _as_equation(left: Form, right: Form) -> Form:
    difference, leading = _difference(left, right)
    return group("=0", [_value(scale(difference, 1 / leading), left, right)])


def _label(side: str) -> str:
    return re.sub(r"\s+|\\left|\\right", "", side)


def as_list(items: list[Form]) -> Form:
    """Several answers: unordered, by their names when these differ; a list without names may mean the same in its order."""
    if len(items) == 1:
        return items[0]
    bare = [replace(item, label="") for item in items]
    in_order = group("sequence", bare)
    labels = {item.label for item in items}
    if "" not in labels and len(labels) == len(items):
        named = group("labels", [with_label(item) for item in items], ordered=False)
        return replace(named, readings=(in_order,))
    listed = group("list", bare, ordered=False)
    return replace(listed, readings=(*listed.readings, in_order))


def _inequality(sides: list[Form], signs: list[str]) -> Form:  # noqa: C901  its cases share what they find out
    """An interval where one symbol is bounded by what does not hold it; else a chain, or a relation with 0."""
    values = [_known(side) for side in sides]
    if len(sides) > 2:
        if all(sign[0] in ">=" for sign in signs):
            sides, values, signs = sides[::-1], values[::-1], [_FLIPPED[sign] for sign in reversed(signs)]
        if len(sides) == 3 and signs[0][0] == signs[1][0] == "<" and _is_bounded(values[1], values[0], values[2]):
            return group(("[" if signs[0] == "<=" else "(") + ("]" if signs[1] == "<=" else ")"), [sides[0], sides[2]])
        if all(sign[0] in "<=" for sign in signs):
            return group(" ".join(["chain", *signs]), sides)
        raise UnreadableError("a chain of relations")
    sign = signs[0]
    left, right = sides
    if _is_bounded(values[1], values[0]) and not _is_bounded(values[0], values[1]):
        left, right, sign = right, left, _FLIPPED[sign]
        values.reverse()
    if _is_bounded(values[0], values[1]) and sign != "!=":
        return _ray(right, sign)
    difference, leading = _difference(left, right)
    rest = {term: coefficient for term, coefficient in difference.terms.items() if term != UNIT}
    if len(rest) == 1:  # what is solved for, as the x of 2x - 6 > 0
        [leading] = rest.values()
    if leading < 0:
        sign = _FLIPPED[sign]
    difference = scale(difference, 1 / leading)
    if len(rest) == 1 and sign != "!=":
        bound = scale(number(difference.terms.get(UNIT, 0)), Fraction(-1))
        if _is_bounded(add(difference, bound), bound):
            return _ray(of_value(bound, ("number", bound.key)), sign)
    return group(f"{sign}0", [_value(difference, left, right)])


def _is_bounded(middle: Sum, *bounds: Sum) -> bool:
    """Whether a relation bounds a symbol or a function's value, so that it is an interval whatever the name."""
    [*terms] = middle.terms.items()
    if len(terms) != 1 or terms[0][1] != 1 or len(terms[0][0]) != 1 or terms[0][0][0][1] != 1:
        return False
    atom = terms[0][0][0][0]
    if not atom.symbolic and not re.match(r"\w\(", atom.key):
        return False
    others = {other for bound in bounds for other in bound.atoms if other.symbolic and other.key != r"\infty"}
    return (not others and not any(re.match(r"\w\(", other.key) for bound in bounds for other in bound.atoms)) or (
        atom.key in _VARIABLES and atom not in others
    )


def _ray(bound: Form, sign: str) -> Form:
    infinity = symbol(r"\infty")
    if sign in {">", ">="}:
        return group(("[" if sign == ">=" else "(") + ")", [bound, of_value(infinity, _INFINITY)])
    return group("(" + ("]" if sign == "<=" else ")"), [of_value(scale(infinity, Fraction(-1)), _MINUS_INFINITY), bound])


def ratio(parts: list[Form], readings: tuple[Form, ...] = ()) -> Form:
    """Parts as in 1 : 2 : 3, in lowest terms where all are positive rational numbers, else with the first as 1."""
    values = [_known(part) for part in parts]
    constants = [value.constant for value in values if value.constant is not None and value.constant > 0]
    if len(constants) == len(parts):
        content = Fraction(gcd(*(c.numerator for c in constants)), lcm(*(c.denominator for c in constants)))
        return Form("ratio", ":".join(written(c / content) for c in constants), readings=readings)
    # A quotient by what may be 0 is not taken.
    first = values[0]
    if first.terms and not any(atom.symbolic for atom in first.atoms):
        quotients = [rational_power(first, Fraction(-1)) for _ in parts]
        inverse = ("power", parts[0].node, ("number", "-1"))
        parts = [
            of_value(multiply(value, quotient), ("multiply", part.node, inverse))
            for value, quotient, part in zip(values, quotients, parts, strict=True)
        ]
    return group("ratio", parts)


def set_builder(inside: str) -> Form | None:
    """Nothing: { x | ... } stays text."""
    if "|" in inside or r"\mid" in inside:
        raise UnreadableError("a set described by a condition")
    return None


def _split(text: str) -> tuple[list[str], list[str]]:
    """Sides and signs, outside of all brackets."""
    sides, signs, depth, start = [], [], 0, 0
    for match in re.finditer(rf"{_SIGN.pattern}|\\[{{}}]|\\.|[()\[\]{{}}]", text):
        mark = match.group()
        if mark in _NAMES:
            if depth == 0:
                sides.append(text[start : match.start()])
                signs.append(_NAMES[mark])
                start = match.end()
        else:
            depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(mark.lstrip("\\"), 0)
    return [*sides, text[start:]], signs


def _is_name(side: str) -> bool:
    return _NAME.match(side) is not None


def _is_symbol(value: Sum) -> bool:
    [*terms] = value.terms.items()
    return (
        len(terms) == 1 and terms[0][1] == 1 and len(terms[0][0]) == 1 and terms[0][0][0][0].symbolic and terms[0][0][0][1] == 1
    )


def _known(form: Form) -> Sum:
    if form.kind != "value" or form.value is None:
        raise UnreadableError("a relation between things that are no expressions")
    return form.value


def _difference(left: Form, right: Form) -> tuple[Sum, Fraction]:
    """Left minus right, and the coefficient by which to divide it for a form of its own."""
    difference = add(_known(left), scale(_known(right), Fraction(-1)))
    terms = difference.terms
    if not terms:
        raise UnreadableError("an identity")
    return difference, terms[min(terms, key=lambda term: [(atom.key, e) for atom, e in term])]


def _value(value: Sum, left: Form, right: Form) -> Form:
    return of_value(value, ("add", left.node, ("multiply", ("number", "-1"), right.node)))
