"""Equations, inequalities and ratios inside an answer."""

import re
from collections.abc import Callable
from fractions import Fraction
from math import gcd

from rdiverse.grading.algebra import UNIT, Sum, add, scale, symbol
from rdiverse.grading.errors import UnreadableError
from rdiverse.grading.forms import Form, group, labelled, of_value
from rdiverse.grading.numbers import written

_SIGN = re.compile(r"<=|>=|!=|\\(?:leqslant|geqslant|leq|geq|le|ge|neq|ne|lt|gt|equiv|approx|in)(?![A-Za-z])|[=<>]")
_NAMES = {
    "<=": "<=", r"\leqslant": "<=", r"\leq": "<=", r"\le": "<=", ">=": ">=", r"\geqslant": ">=", r"\geq": ">=",
    r"\ge": ">=", "!=": "!=", r"\neq": "!=", r"\ne": "!=", r"\lt": "<", r"\gt": ">", "=": "=", "<": "<", ">": ">",
    r"\in": "in", r"\equiv": "=", r"\approx": "=",
}  # fmt: skip
_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "!=": "!="}
# What an equation may name: a letter with accents, subscripts and primes, a function of letters, or an angle by its points.
_LABEL = re.compile(
    r"\A\s*(?:\\angle\s*[A-Z](?:_\{?\w+\}?)?(?:\s*[A-Z](?:_\{?\w+\}?)?)*"
    r"|(?:\\(?:bar|overline|hat|vec)\s*\{\s*\w+\s*\}|\\?[A-Za-z]+?)(?<!\\frac)(?<!\\sqrt)"
    r"(?:\s*_\s*(?:\w|\\[A-Za-z]+|\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}))?'*(?:\s*\(\s*[A-Za-z](?:\s*,\s*[A-Za-z])*\s*\))?)\s*\Z"
)
_LONG_WORD = re.compile(r"\A\s*[A-Za-z]{2,}\s*\Z")

_INFINITY = ("symbol", r"\infty")
_MINUS_INFINITY = ("multiply", ("number", "-1"), _INFINITY)

Reader = Callable[[str], Form]


def read(text: str, item: Reader, plain: Reader) -> Form | None:
    """The form of a text with relation signs outside of brackets, None without any."""
    sides, signs = _split(text)
    if not signs:
        return None
    if signs == ["in"] and _is_label(sides[0]):
        return item(sides[1])
    if all(sign == "=" for sign in signs):
        return _equation(sides, item, plain)
    if len(sides) in {2, 3} and "in" not in signs:
        return _inequality([plain(side) for side in sides], signs)
    raise UnreadableError("a chain of relations")


def _equation(sides: list[str], item: Reader, plain: Reader) -> Form:
    """Read equations: a label counts only beside other labels, so x = 5 is 5; a chain x = 2 + 3 = 5 is its end.

    An equation that names nothing is left minus right, up to a factor.
    """
    if _is_label(sides[0]):
        return _labelled(sides[0], item(sides[-1]))
    left, right = plain(sides[0]), plain(sides[-1])
    if len(sides) == 2 and _is_label(sides[1]) and left.value is not None and left.value.constant is not None:
        return _labelled(sides[1], left)
    difference, leading = _difference(left, right)
    return group("=0", [_value(scale(difference, 1 / leading), left, right)])


def _labelled(label: str, form: Form) -> Form:
    name = re.sub(r"\s+|\\left|\\right", "", label)
    return Form("label", form.key, (form,), source=name)


def as_list(items: list[Form]) -> Form:
    """Several answers: unordered, by their labels when these differ."""
    labels = {item.source for item in items if item.kind == "label"}
    if all(item.kind == "label" for item in items) and len(labels) == len(items):
        return group("labels", [labelled(item.source, item.items[0]) for item in items], ordered=False)
    return group("list", [item.items[0] if item.kind == "label" else item for item in items], ordered=False)


def _inequality(sides: list[Form], signs: list[str]) -> Form:
    """An interval where one symbol is bounded by what does not hold it; else a relation with 0."""
    values = [_known(side) for side in sides]
    if len(sides) == 3:
        low, high = sides[0], sides[2]
        if signs[0][0] == signs[1][0] == ">":
            low, high, signs = high, low, [_FLIPPED[sign] for sign in reversed(signs)]
        if signs[0][0] == signs[1][0] == "<" and _is_symbol(values[1]):
            return group(("[" if signs[0] == "<=" else "(") + ("]" if signs[1] == "<=" else ")"), [low, high])
        raise UnreadableError("a chain of relations")
    sign = signs[0]
    left, right = sides
    if _is_symbol(values[1]) and not _is_symbol(values[0]):
        left, right, sign = right, left, _FLIPPED[sign]
        values.reverse()
    if _is_symbol(values[0]) and not values[0].atoms & values[1].atoms and sign != "!=":
        return _ray(right, sign)
    difference, leading = _difference(left, right)
    if leading < 0:
        sign = _FLIPPED[sign]
    difference = scale(difference, 1 / leading)
    bound = scale(add(difference, scale(only, Fraction(-1))), Fraction(-1)) if (only := _only_symbol(difference)) else None
    if bound is not None and sign != "!=":
        return _ray(of_value(bound, ("number", written(bound.constant or Fraction(0)))), sign)
    return group(f"{sign}0", [_value(difference, left, right)])


def _ray(bound: Form, sign: str) -> Form:
    infinity = symbol(r"\infty")
    if sign in {">", ">="}:
        return group(("[" if sign == ">=" else "(") + ")", [bound, of_value(infinity, _INFINITY)])
    return group("(" + ("]" if sign == "<=" else ")"), [of_value(scale(infinity, Fraction(-1)), _MINUS_INFINITY), bound])


def ratio(parts: list[Form]) -> Form:
    """Parts as in 1 : 2 : 3, in lowest terms where all parts are whole numbers."""
    constants = [_known(part).constant for part in parts]
    if all(c is not None and c.denominator == 1 and c > 0 for c in constants):
        whole = [int(c) for c in constants if c is not None]
        return Form("ratio", ":".join(str(n // gcd(*whole)) for n in whole))
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


def _is_label(side: str) -> bool:
    return bool(_LABEL.match(side)) and not _LONG_WORD.match(side)


def _is_symbol(value: Sum) -> bool:
    [*terms] = value.terms.items()
    return (
        len(terms) == 1 and terms[0][1] == 1 and len(terms[0][0]) == 1 and terms[0][0][0][0].symbolic and terms[0][0][0][1] == 1
    )


def _only_symbol(value: Sum) -> Sum | None:
    """The symbol x of a sum x + c."""
    rest = {term: c for term, c in value.terms.items() if term != UNIT}
    alone = Sum(rest)
    return alone if rest and _is_symbol(alone) else None


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
