"""R-Zero's rules, its misjudgements included."""

import pytest

from rdiverse.grading.compat import compare, normalized
from rdiverse.grading.decide import compare as ours
from rdiverse.grading.normal import form


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("7", "7.0"),
        ("1,000", "1000"),
        ("50%", "50"),
        ("5 cm", "5"),
        (r"\frac{1}{2}", "1/2"),
        (r"\text{Yes}", "yes"),
        ("(1, 2)", "(1,2)"),
        ("no idea", "there is no answer"),
    ],
)
def test_equal_as_strings(a: str, b: str) -> None:
    assert compare(a, b) == [] == compare(b, a)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("2/4", "1/2"),
        ("6/2", "3"),
        ("50%", "0.5"),
        ("(1,2)", "[1,2]"),
        ("1,2", "2,1"),
        ("x^{10}+1", "1+x^{10}"),
        ("a+b+c", "c+b+a"),
        ("7", "8"),
        ("7", "x"),
    ],
)
def test_different_whatever_mathematics_says(a: str, b: str) -> None:
    assert compare(a, b) is None
    assert compare(b, a) is None


@pytest.mark.parametrize(("a", "b"), [("x+1", "1+x"), ("0.5", "1/2"), (r"3\sqrt{13}", r"\sqrt{117}"), ("(x+1,2)", "(1+x,2)")])
def test_the_rest_is_left_to_sympy(a: str, b: str) -> None:
    assert compare(a, b)
    assert compare(a, b) == compare(b, a)


def test_our_rules_differ_where_its_are_wrong() -> None:
    for a, b in [("2/4", "1/2"), ("6/2", "3"), ("50%", "0.5"), ("1,2", "2,1"), ("x^{10}+1", "1+x^{10}")]:
        assert ours(form(a), form(b)) == []
    assert ours(form("no idea"), form("there is no answer")) is None


def test_code_is_text() -> None:
    assert compare("__import__('os').system('true')", "0") is None
    assert isinstance(normalized("__import__('os').system('true')"), str)
