"""Determinants of canonical sums."""

from fractions import Fraction

from rdiverse.grading.algebra import Sum, add, multiply, number, scale
from rdiverse.grading.errors import UnreadableError

_LARGEST = 4


def determinant(rows: list[list[Sum]]) -> Sum:
    """By the first row. Raises UnreadableError for what is not square, or larger than 4 x 4."""
    if not rows or len(rows) > _LARGEST or any(len(row) != len(rows) for row in rows):
        raise UnreadableError("a determinant of other shape")
    if len(rows) == 1:
        return rows[0][0]
    minors = (determinant([row[:i] + row[i + 1 :] for row in rows[1:]]) for i in range(len(rows)))
    return add(
        number(0),
        *(scale(multiply(top, minor), Fraction((-1) ** i)) for i, (top, minor) in enumerate(zip(rows[0], minors, strict=True))),
    )
