"""Canonical sums have the value of the expression that they came from."""

import cmath
import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rdiverse.grading.algebra import nearly_equal, symbol
from rdiverse.grading.evaluate import evaluate
from rdiverse.grading.lexer import cleaned, tokens
from rdiverse.grading.numbers import TooLargeError, factors, power
from rdiverse.grading.parser import parse

LEAVES = st.one_of(
    st.fractions(min_value=-9, max_value=9, max_denominator=6).map(lambda f: ("number", str(f))),
    st.sampled_from([("symbol", name) for name in ("x", "y", r"\pi", "e")]),
)


def larger(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    exponents = st.sampled_from(["-2", "-1", "1/2", "-1/2", "2", "3", "1/3"]).map(lambda text: ("number", text))
    return st.one_of(
        st.tuples(st.sampled_from(["add", "multiply"]), inner, inner),
        st.tuples(st.just("power"), inner, exponents),
        st.tuples(st.just("power"), st.sampled_from([("number", "2"), ("number", "6"), ("symbol", "e")]), inner),
        st.tuples(st.just("call"), st.sampled_from(["sin", "cos", "ln", "abs"]), inner),
    )


TREES = st.recursive(LEAVES, larger, max_leaves=8)
POINT = {name: next(iter(symbol(name).terms))[0][0].values[0] for name in ("x", "y")} | {r"\pi": math.pi, "e": math.e}


def value(node: Any) -> complex:
    """The value at the first of the grader's points, computed straight from the tree."""
    kind, *rest = node
    if kind == "number":
        return complex(Fraction(rest[0]))
    if kind == "symbol":
        return complex(POINT[rest[0]])
    if kind == "call":
        return complex({"sin": cmath.sin, "cos": cmath.cos, "ln": cmath.log, "abs": abs}[rest[0]](value(rest[1])))
    parts = [value(part) for part in rest]
    return {"add": sum, "multiply": math.prod, "power": lambda p: p[0] ** p[1]}[kind](parts)


@settings(deadline=None)
@given(TREES)
def test_a_canonical_sum_keeps_the_value(node: Any) -> None:
    try:
        expected = value(node)
        total = evaluate(node)
    except (ArithmeticError, ValueError, TooLargeError):
        assume(False)
    (found, *_), (scale, *_) = total.values()
    assume(
        cmath.isfinite(found)
        and cmath.isfinite(expected)
        and abs(expected) < 1e12
        and abs(expected.imag) < 1e-9
        and not negative_root(node)
    )
    assert abs(found - expected) <= 1e-6 * max(1.0, scale, abs(expected))


def negative_root(node: Any) -> bool:
    """Whether a root of something negative is taken, of which the grader takes the real one where there is one."""
    if node[0] in {"number", "symbol"}:
        return False
    if (node[0] == "power" or node[:2] == ("call", "ln")) and (value(node[-1 if node[0] == "call" else 1]).real <= 1e-9):
        return True
    return any(negative_root(part) for part in node[1:] if isinstance(part, tuple))


@settings(deadline=None)
@given(TREES, TREES, TREES)
def test_sums_and_products_do_not_depend_on_their_order(a: Any, b: Any, c: Any) -> None:
    try:
        left = evaluate(("add", ("multiply", a, b), ("multiply", a, c)))
        right = evaluate(("multiply", ("add", c, b), a))
    except TooLargeError:
        assume(False)
    assert left.key == right.key or nearly_equal(left, right)
    assert evaluate(("add", a, b, c)).key == evaluate(("add", c, a, b)).key
    assert evaluate(("multiply", a, b)).key == evaluate(("multiply", b, a)).key


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("1/2x", "1/2*x"),
        ("-2^2", "-4"),
        ("2^3^2", "512"),
        ("2x^2y", "2*x^(2)*y"),
        (r"\sin 2x \cos x", "cos(x)*sin(2*x)"),
        (r"\sin^2 x", "sin(x)^(2)"),
        (r"\sin(x)^2", "sin(x)^(2)"),
        (r"\sin^{-1} x", "asin(x)"),
        (r"\log_2^3 x", "ln(2)^(-3)*ln(x)^(3)"),
        (r"\frac1{2}", "1/2"),
        (r"\sqrt[3]{16}", "2*2^(1/3)"),
        (r"f(0)+n(n+1)", "f(0) + n + n^(2)"),
        (r"x_{\text{max}} + x_1'", "x_{1}' + x_{max}"),
        (r"|x||y|", "abs(x)*abs(y)"),
        (r"\sin 30^\circ", r"sin(1/6*\pi)"),
        ("3!^2", "36"),
        ("2 3/4", "11/4"),
    ],
)
def test_how_mathematics_is_read(text: str, key: str) -> None:
    assert evaluate(parse(tokens(cleaned(text)))).key == key


@settings(deadline=None)
@given(st.integers(1, 10**15))
def test_factors_multiply_back(n: int) -> None:
    assert math.prod(base**exponent for base, exponent in factors(n)) == n


def test_large_numbers_are_refused_before_they_are_computed() -> None:
    for base, exponent in [(Fraction(9), 10**9), (Fraction(1, 9), 10**9), (Fraction(2), -(10**9)), (Fraction(0), -1)]:
        with pytest.raises(TooLargeError):
            power(base, exponent)
    assert power(Fraction(-1), 10**30 + 1) == -1
