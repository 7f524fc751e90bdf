"""From the tree of an expression to its canonical sum."""

from collections.abc import Callable
from fractions import Fraction
from functools import reduce
from math import e, pi
from typing import Any

from rdiverse.grading import functions
from rdiverse.grading.algebra import Sum, add, constant_atom, multiply, number, scale, symbol
from rdiverse.grading.parser import Node
from rdiverse.grading.powers import raised

_CONSTANTS = {r"\pi": pi, "e": e, "i": 1j}


def evaluate(node: Node, in_function: bool = False) -> Sum:
    """The canonical sum of a tree. Raises TooLargeError for what is too large, or has no value.

    An angle in degrees is its number, save inside a function, where it is turned into radians.
    """
    return _KINDS[node[0]](node[1:], in_function)


def _number(rest: Any, _: bool) -> Sum:
    return number(Fraction(rest[0]))


def _symbol(rest: Any, _: bool) -> Sum:
    name = rest[0]
    return constant_atom(name, _CONSTANTS[name]) if name in _CONSTANTS else symbol(name)


def _add(rest: Any, in_function: bool) -> Sum:
    return add(*(evaluate(part, in_function) for part in rest))


def _multiply(rest: Any, in_function: bool) -> Sum:
    return reduce(multiply, (evaluate(part, in_function) for part in rest))


def _power(rest: Any, in_function: bool) -> Sum:
    return raised(evaluate(rest[0], in_function), evaluate(rest[1], in_function))


def _percent(rest: Any, in_function: bool) -> Sum:
    return scale(evaluate(rest[0], in_function), Fraction(1, 100))


def _degree(rest: Any, in_function: bool) -> Sum:
    angle = evaluate(rest[0], in_function)
    return multiply(angle, scale(constant_atom(r"\pi", pi), Fraction(1, 180))) if in_function else angle


def _unknown(rest: Any, _: bool) -> Sum:
    return functions.unknown(rest[0], *(evaluate(part) for part in rest[1:]))


def _call(rest: Any, _: bool) -> Sum:
    name, *arguments = rest
    values = [evaluate(part, in_function=True) for part in arguments]
    return functions.logarithm(*values) if name == "log" else functions.apply(name, *values)


_KINDS: dict[str, Callable[[Any, bool], Sum]] = {
    "number": _number,
    "symbol": _symbol,
    "add": _add,
    "multiply": _multiply,
    "power": _power,
    "percent": _percent,
    "degree": _degree,
    "unknown": _unknown,
    "call": _call,
}
