r"""The symbolic check: asked only about what normal forms leave open, and only in a process that can be killed.

Everything here may run for ever or take all memory: `9**9**9**9`, `((4!)!)!`.
"""

from collections.abc import Callable
from typing import Any

from rdiverse.grading.parser import Node

DIGITS = 50
"""Precision to which values are compared before anything is simplified."""


def same_expression(a: Node, b: Node) -> bool:
    """Whether two trees are the same function of their symbols, which stand for positive numbers.

    They are when sympy's own construction makes the difference 0, or when the values agree to 40 digits at three points.
    That is no proof, but a proof (simplify) takes a thousand times as long and fails on true equalities more often than
    40 digits agree by chance.
    """
    import sympy

    difference = _expression(a) - _expression(b)
    if difference == 0:
        return True
    symbols = sorted(difference.free_symbols, key=str)
    for point in range(3):
        at = {symbol: sympy.Rational(31 + 17 * i + 607 * point, 29 + 5 * point) for i, symbol in enumerate(symbols)}
        value = difference.subs(at).evalf(DIGITS, maxn=400)
        if not value.is_number or abs(value) > sympy.Float(10) ** (10 - DIGITS):
            return False
    return True


def same_latex(a: str, b: str) -> bool:
    """Whether math-verify reads both answers and finds them equal in either direction."""
    from math_verify import LatexExtractionConfig, parse, verify

    # Its own time-outs work by signals, and the parent's watch is the one that counts.
    read: list[Any] = [
        parse(
            f"${text.replace('$', ' ')}$",
            extraction_config=[LatexExtractionConfig()],
            fallback_mode="no_fallback",
            extraction_mode="first_match",
            parsing_timeout=None,
        )
        for text in (a, b)
    ]
    if not all(read):
        return False
    return any(verify(x, y, float_rounding=15, timeout_seconds=None) for x, y in (read, read[::-1]))


def _expression(node: Node, in_function: bool = False) -> Any:
    """A tree as a sympy expression."""
    import sympy

    kind, *rest = node
    if kind == "number":
        return sympy.Rational(rest[0])
    if kind == "symbol":
        constants = {"pi": sympy.pi, "e": sympy.E, "i": sympy.I, "infty": sympy.oo}
        return constants.get(rest[0]) or sympy.Symbol(rest[0], positive=True)
    if kind in {"call", "unknown"}:
        arguments = [_expression(part, in_function or kind == "call") for part in rest[1:]]
        return _functions()[rest[0]](*arguments) if kind == "call" else sympy.Function(f"{rest[0]}_")(*arguments)
    parts = [_expression(part, in_function) for part in rest]
    builders: dict[str, Callable[..., Any]] = {
        "add": sympy.Add,
        "multiply": sympy.Mul,
        "power": _power,
        "percent": lambda x: x / 100,
        "degree": lambda x: x * sympy.pi / 180 if in_function else x,
    }
    return builders[kind](*parts)


def _power(base: Any, exponent: Any) -> Any:
    """A power, with the real root of a negative number where there is one."""
    import sympy

    if base.is_negative and exponent.is_Rational and exponent.q % 2 and exponent.q > 1:
        return sympy.real_root(base**exponent.p, exponent.q)
    return base**exponent


def _functions() -> dict[str, Any]:
    import sympy

    names = ("sin", "cos", "tan", "cot", "sec", "csc", "asin", "acos", "atan", "sinh", "cosh", "tanh", "floor", "factorial")
    others = {"abs": sympy.Abs, "ceil": sympy.ceiling, "ln": sympy.log, "log": sympy.log, "binom": sympy.binomial}
    return {name: getattr(sympy, name) for name in names} | others
