"""Compares two trees by their values to fifty digits: what canonical sums and sixteen digits leave open.

Asked only in a process that can be killed. It is no proof, but a symbolic proof takes a hundred times as long, and fails
on true equalities far more often than forty digits agree by chance.
"""

from collections.abc import Callable
from functools import cache, reduce
from operator import mul
from typing import Any

import mpmath

from rdiverse.grading.parser import Node

DIGITS = 50
AGREED_DIGITS = 40
POINTS = 3


def same_expression(a: Node, b: Node) -> bool:
    """Whether two trees have the same values, symbols standing for positive numbers."""
    with mpmath.workdps(DIGITS):
        return all(_agree(_value(a, point), _value(b, point)) for point in range(POINTS))


def warm_up() -> None:
    """Nothing: the library loads nothing late."""


def _agree(x: Any, y: Any) -> bool:
    return bool(mpmath.almosteq(x, y, mpmath.mpf(10) ** -AGREED_DIGITS, mpmath.mpf(10) ** -AGREED_DIGITS))


def _value(node: Node, point: int, in_function: bool = False) -> Any:
    """The value of a tree at one of the points."""
    kind, *rest = node
    if kind == "number":
        top, _, bottom = rest[0].partition("/")
        return mpmath.mpf(int(top)) / int(bottom or 1)
    if kind == "symbol":
        return _symbol(rest[0], point)
    if kind == "call":
        return _functions()[rest[0]](*(_value(part, point, True) for part in rest[1:]))
    parts = [_value(part, point, in_function) for part in rest[kind == "unknown" :]]
    kinds: dict[str, Callable[[], Any]] = {
        "add": lambda: sum(parts),
        "multiply": lambda: reduce(mul, parts),
        "power": lambda: _power(*parts),
        "percent": lambda: parts[0] / 100,
        "degree": lambda: parts[0] * mpmath.pi / 180 if in_function else parts[0],
        "unknown": lambda: mpmath.sin(_symbol(rest[0], point) * sum((i + 1) * x for i, x in enumerate(parts))),
    }
    return kinds[kind]()


def _symbol(name: str, point: int) -> Any:
    constants = {r"\pi": mpmath.pi, "e": mpmath.e, "i": mpmath.j}
    if name in constants:
        return +constants[name]
    # Algebraically unrelated numbers between 1 and 2, and near 30, where floor functions differ.
    offset = int.from_bytes(name.encode(errors="surrogatepass"), "big") % 999_983
    return 1 + 29 * (point == 1) + mpmath.frac(mpmath.sqrt(2) * (offset + 1) + mpmath.sqrt(3) * point)


def _power(base: Any, exponent: Any) -> Any:
    """A power, with the real root of a negative number where there is one."""
    if mpmath.im(base) == 0 and mpmath.re(base) < 0 and mpmath.im(exponent) == 0:
        inverse = 1 / exponent
        if mpmath.isint(mpmath.nint(inverse)) and _agree(inverse, mpmath.nint(inverse)) and int(mpmath.nint(inverse)) % 2:
            return -((-base) ** exponent)
    return base**exponent


@cache
def _functions() -> dict[str, Callable[..., Any]]:
    def snapped(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Rounding may have put an integer just below itself."""
        return lambda x: mpmath.nint(x) if _agree(x, mpmath.nint(x)) else function(x)

    names = ("sin", "cos", "tan", "cot", "sec", "csc", "asin", "acos", "atan", "sinh", "cosh", "tanh", "factorial")
    others = {
        "abs": abs,
        "floor": snapped(mpmath.floor),
        "ceil": snapped(mpmath.ceil),
        "ln": mpmath.log,
        "log": lambda x, base: mpmath.log(x) / mpmath.log(base),
        "binom": mpmath.binomial,
        "doublefactorial": mpmath.fac2,
    }
    return {name: getattr(mpmath, name) for name in names} | others
