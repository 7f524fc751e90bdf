"""Compares two normal forms: equal, different, or a list of questions that only a symbolic library can answer."""

import re
from typing import NamedTuple

from rdiverse.grading.algebra import Sum, nearly_equal
from rdiverse.grading.forms import Form
from rdiverse.grading.parser import Node

_WORD = re.compile(r"(?<![\\A-Za-z{])[A-Za-z]{3,}|\\(?:text|mbox|mathrm)")


class Question(NamedTuple):
    """Whether two expressions are equal; for WHOLE, whether the two answers are, as far as LaTeX can be read."""

    a: Node
    b: Node


WHOLE = Question((), ())

_LINES = frozenset(["=0"])
_SHARED = _LINES | {"clock", "sequence"}
"""Readings that answers of different kinds may have in common; any other is an answer of its own, which the other has to be."""


def compare(a: Form, b: Form, strict: bool = False) -> list[Question] | None:
    """None when the forms differ; else what has to hold for them to be equal, an empty list for nothing. Symmetric.

    `strict` takes every answer as it stands, and is transitive as far as the questions are answered truly. Otherwise, as
    against a gold answer, one of the two may be meant in another reading: 5 cm may be called 5, but is not 5 m.
    """
    direct = _same(a, b)
    if strict or direct == [] or not (a.readings or b.readings):
        return direct
    pairs = [(reading, b) for reading in a.readings] + [(a, reading) for reading in b.readings]
    pairs += [
        (x, y)
        for x in a.readings
        for y in b.readings
        if x.kind == y.kind and x.kind in (_LINES if a.kind == b.kind else _SHARED)
    ]
    found = [one for one in (direct, *(_same(x, y) for x, y in pairs)) if one is not None]
    return min(found, key=lambda questions: (len(questions), repr(questions)), default=None)


def _same(a: Form, b: Form) -> list[Question] | None:
    if a.key == b.key and a.kind == b.kind:
        return []
    if "text" in {a.kind, b.kind}:
        # Words are equal as words only; LaTeX that was not read here is left to a library that reads more.
        return [WHOLE] if _may_be_read(a) and _may_be_read(b) else None
    if a.kind != b.kind:
        return None
    if a.value is not None and b.value is not None:
        return _values(a.value, b.value, a, b)
    if len(a.items) != len(b.items) or not a.items:
        return None
    return _in_order(a, b) if a.ordered else _in_any_order(a, b)


def _values(x: Sum, y: Sum, a: Form, b: Form) -> list[Question] | None:
    """Different sums of free atoms differ; so do those whose values differ at some point; the rest is open."""
    if (x.free and y.free) or not a.node or not b.node or not nearly_equal(x, y):
        return None
    return [Question(*sorted((a.node, b.node), key=repr))]


def _in_order(a: Form, b: Form) -> list[Question] | None:
    questions: list[Question] = []
    for one, other in zip(a.items, b.items, strict=True):
        more = _same(one, other)
        if more is None:
            return None
        questions += more
    return questions


def _in_any_order(a: Form, b: Form) -> list[Question] | None:
    """Pair off equal members, then each of the rest with the first that may equal it."""
    left, right = list(a.items), list(b.items)
    for item in a.items:
        if item in right:
            left.remove(item)
            right.remove(item)
    questions: list[Question] = []
    for item in left:
        for other in right:
            more = _same(item, other)
            if more is not None:
                questions += more
                right.remove(other)
                break
        else:
            return None
    return questions


def _may_be_read(form: Form) -> bool:
    """Whether a library may read what the grader could not: mathematics without words, nothing malformed or too large."""
    if form.kind == "text":
        return bool(form.source) and _WORD.search(form.source) is None
    return form.kind not in {"time", "date", "percent"} and not form.units
