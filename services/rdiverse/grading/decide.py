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


def compare(a: Form, b: Form) -> list[Question] | None:
    """None when the forms differ; else what has to hold for them to be equal, an empty list for nothing. Symmetric."""
    a, b = _unlabelled(a), _unlabelled(b)
    if a.key == b.key:
        return []
    if "text" in {a.kind, b.kind}:
        # Words are equal as words only; LaTeX that was not read here is left to a library that reads more.
        return [WHOLE] if _may_be_read(a) and _may_be_read(b) else None
    if a.value is not None and b.value is not None:
        return _values(a.value, b.value, a, b) if a.kind == b.kind else _percentages(a, b)
    if a.kind != b.kind or len(a.items) != len(b.items) or not a.items:
        return None
    return _in_order(a, b) if a.ordered else _in_any_order(a, b)


def _values(x: Sum, y: Sum, a: Form, b: Form) -> list[Question] | None:
    """Different sums of free atoms differ; so do those whose values differ at some point; the rest is open."""
    if (x.free and y.free) or a.node is None or b.node is None or not nearly_equal(x, y):
        return None
    return [Question(*sorted((a.node, b.node), key=repr))]


def _percentages(a: Form, b: Form) -> list[Question] | None:
    """8% equals 0.08, and 8 as well: to a question that asks for a percentage both are usual answers."""
    percent, other = (a, b) if a.kind == "percent" else (b, a)
    if percent.value is None or other.value is None:
        return None
    p, x = percent.value.constant, other.value.constant
    return [] if p is not None and x in {p, p / 100} else None


def _in_order(a: Form, b: Form) -> list[Question] | None:
    questions: list[Question] = []
    for one, other in zip(a.items, b.items, strict=True):
        more = compare(one, other)
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
            more = compare(item, other)
            if more is not None:
                questions += more
                right.remove(other)
                break
        else:
            return None
    return questions


def _may_be_read(form: Form) -> bool:
    """Whether a library may read what the grader could not: mathematics without words, nothing malformed or too large."""
    return form.kind != "text" or (bool(form.source) and _WORD.search(form.source) is None)


def _unlabelled(form: Form) -> Form:
    while form.kind == "label":
        form = form.items[0]
    return form
