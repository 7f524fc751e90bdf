"""How a solution goes wrong: a wrong method stands in for the right one.

How likely that is depends on the operation and the one before it, fixed once for the world by a hash; so skills differ in
how hard they are, and a chain is harder than its parts. Most pairs are easy and some are hard. Every operation has two
wrong methods, taken 52 to 48: wrong answers split, wrong majorities are rare, and self-consistency means something.
"""

import hashlib
import random
from collections.abc import Callable

from rdiverse.nano.grammar import BASE_NAMES, LARGEST, Problem

BASE_RANGE = (0.03, 0.40)
"""Least and greatest probability of a wrong method in the first step."""
MODIFIER_RANGE = (0.03, 0.54)
"""The same in later steps."""
REFUSAL = "unclear"
"""What a solution says in place of an answer, to a text that is no problem and to a number beyond the world's."""
FIRST_WRONG = 0.52
"""Share of the first wrong method among the wrong ones."""

Line = tuple[str, str, str]
"""Left, sign and right of one line of a solution; `x` is the running number, `a`, `b`, `c` the given ones."""

_SIGNS: dict[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "//": lambda a, b: a // b if b else -1,
    "%": lambda a, b: a % b if b else -1,
    "max": max,
    "min": min,
    "gap": lambda a, b: abs(a - b),
}
SIGNS = (*_SIGNS, "=", ";")
"""The marks that solutions are written with."""

# Right, first wrong, second wrong.
METHODS: dict[str, tuple[tuple[Line, ...], tuple[Line, ...], tuple[Line, ...]]] = {
    "sum": ((("a", "+", "b"),), (("a", "gap", "b"),), (("a", "max", "b"),)),
    "product": ((("a", "*", "b"),), (("a", "+", "b"),), (("a", "max", "b"),)),
    "difference": ((("a", "-", "b"),), (("a", "+", "b"),), (("a", "min", "b"),)),
    "batch": (
        (("b", "*", "c"), ("a", "+", "x")),
        (("a", "+", "b"), ("x", "*", "c")),
        (("a", "+", "b"), ("x", "+", "c")),
    ),
    "larger": ((("a", "max", "b"),), (("a", "min", "b"),), (("a", "+", "b"),)),
    "gap": ((("a", "gap", "b"),), (("a", "+", "b"),), (("a", "max", "b"),)),
    "more": ((("x", "+", "a"),), (("x", "gap", "a"),), (("x", "max", "a"),)),
    "fewer": ((("x", "-", "a"),), (("x", "+", "a"),), (("x", "min", "a"),)),
    "times": ((("x", "*", "a"),), (("x", "+", "a"),), (("x", "gap", "a"),)),
    "share": ((("x", "//", "a"),), (("x", "gap", "a"),), (("x", "%", "a"),)),
    "leftover": ((("x", "%", "a"),), (("x", "//", "a"),), (("x", "gap", "a"),)),
    "at-least": ((("x", "max", "a"),), (("x", "min", "a"),), (("x", "+", "a"),)),
    "distance": ((("x", "gap", "a"),), (("x", "+", "a"),), (("x", "max", "a"),)),
    "missing": ((("a", "-", "x"),), (("x", "+", "a"),), (("x", "min", "a"),)),
}


def confusion(previous: str | None, operation: str) -> float:
    """Probability that a wrong method stands in for `operation` after `previous` (None: it is the first step)."""
    low, high = BASE_RANGE if operation in BASE_NAMES else MODIFIER_RANGE
    digest = hashlib.sha256(f"{previous} {operation}".encode()).digest()
    place = int.from_bytes(digest[:4], "big") / 2**32
    return low + (high - low) * place**2


def solve(problem: Problem, rng: random.Random | None) -> str:
    r"""A solution in lines such as `5 + 3 = 8 ;`, then `\boxed{ 8 }`, with confusion drawn from `rng` (None: none).

    A line whose result leaves 0..99 ends in REFUSAL instead, as in `5 - 8 unclear`, and nothing follows it.
    """
    written: list[str] = []
    running = 0
    previous: str | None = None
    for step in problem.steps:
        method = 0
        if rng is not None and rng.random() < confusion(previous, step.operation):
            method = 1 if rng.random() < FIRST_WRONG else 2
        named = dict(zip("abc", step.numbers, strict=False))
        for left, sign, right in METHODS[step.operation][method]:
            named["x"] = running
            running = _SIGNS[sign](named[left], named[right])
            written.append(f"{named[left]} {sign} {named[right]}")
            if not 0 <= running <= LARGEST:
                return " ".join([*written, REFUSAL])
            written[-1] += f" = {running} ;"
        previous = step.operation
    return f"{' '.join(written)} \\boxed{{ {running} }}"
