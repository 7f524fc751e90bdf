r"""Normal forms: what is the same answer, what is another, without any symbolic library."""

import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdiverse.grading.decide import compare
from rdiverse.grading.normal import form, normal_form

SAME = [
    [
        "7",
        " 7 ",
        "07",
        "+7",
        "7.0",
        "7.",
        "$7$",
        r"\(7\)",
        "x = 7",
        "7.",
        r"\frac{14}{2}",
    ],
    [r"0.1\overline{6}", "1/6", r".1\bar{6}"],
    ["-7", "- 7", "−7", r"-\frac{7}{1}", "-7.00"],
    [
        "0.5",
        ".5",
        "1/2",
        r"\frac12",
        r"\frac{1}{2}",
        r"\dfrac{1}{2}",
        r"\tfrac 1 2",
        "2/4",
        "5e-1",
        r"5 \times 10^{-1}",
        "½",
        r"\frac{-1}{-2}",
    ],
    ["3/2", r"1 \frac{1}{2}", "1 1/2", r"1\frac12", "1.5"],
    ["1000", "1,000", "1{,}000", r"1\,000", r"1,\!000", "1 000", "10^3", "1e3", "1,000.00"],
    ["1234567.5", "1,234,567.5"],
    ["101_2", "5", r"101_{2}"],
    [r"3\sqrt{13}", r"3 \sqrt{13}", r"\sqrt{117}", "3*sqrt(13)", "3√13", r"3\cdot 13^{1/2}", r"\frac{39}{\sqrt{13}}"],
    [r"\sqrt2", r"\sqrt{2}", "2^{1/2}", "2^0.5", r"\frac{2}{\sqrt{2}}", r"2^{\frac12}", r"\sqrt[4]{4}"],
    [r"2\pi", "2π", "pi*2", r"\pi \cdot 2"],
    [r"\frac{\pi}{2}", r"\pi/2", r"0.5\pi", r"\frac12 \pi"],
    ["(1,2)", "( 1 , 2 )", r"\left(1,2\right)", r"(1, \frac{4}{2})", r"1<x<2", r"x \in (1,2)"],
    [r"\{1,2\}", "2, 1", "1 and 2", r"1 \text{ or } 2", "x=1, x=2", "x=2 or x=1", r"\{2,1,1\}", "1;2"],
    [r"3 \pm \sqrt{5}", r"3+\sqrt5, 3-\sqrt5", r"\{3-\sqrt5,\, 3+\sqrt5\}"],
    [r"[2,\infty)", r"x \ge 2", r"x \geqslant 2", "2 <= x", r"\left[2, \infty\right)"],
    [r"(-\infty,0)\cup(1,2]", r"(1,2] \cup (-\infty, 0)"],
    ["x^2+2x+1", "(x+1)^2", "1+x(x+2)", "y = x^2+2x+1", "f(x)=(1+x)^2"],
    [r"\frac{n(n+1)}{2}", "n(n+1)/2", r"\frac12 n^2 + \frac{n}{2}", "0.5n(1+n)"],
    ["2^{n-1}", r"\frac{2^n}{2}", "2^n/2"],
    [r"e^{-2t}", r"\frac{1}{e^{2t}}", r"\exp(-2t)", r"(e^t)^{-2}"],
    [r"\ln 12", r"2\ln 2+\ln 3", r"\log 12", r"\ln(3)+\ln(4)"],
    [r"\log_2 512", "9"],
    ["5!", "120", r"\binom{16}{2}"],
    [r"\lfloor 3.7 \rfloor", "3", r"\lceil 2.1 \rceil", "|-3|"],
    ["2x+3y=6", "6 = 3y+2x", "4x+6y-12=0"],
    ["2:3", "4:6", r"2 \colon 3"],
    [r"\text{Yes}", "yes", "Yes.", r"\mathrm{YES}"],
    ["(B)", "B", r"\text{B}"[6:7], r"\mathrm{B}"],
    [r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}", r"\begin{bmatrix}1&2\\3&\frac{8}{2}\end{bmatrix}"],
    ["no solution", "No  solution.", r"\text{no solution}"],
    [r"\emptyset", r"\varnothing", r"\{\}", "∅"],
    ["1+2i", "2i + 1"],
    [r"\sqrt[3]{-8}", "-2"],
    ["3,000,000", "3 million", r"3 \text{ million}"],
    ["25%", r"25 \text{ percent}", "25 percent", r"25 \%"],
    ["5/2%", r"2\frac{1}{2}\%", "2.5%", r"2 \frac12 \%"],
    ["A", r"\text{(A)}", "(A)", r"\textbf{A}", r"\mathrm{(A)}"],
    ["11/14", r"\frac{11}{14} \text{ or } \frac{22}{28}"],
    ["31", "31st", r"31^{\text{st}}", r"31\text{st}"],
    [r"k\pi", r"k\pi, k \in \mathbb{Z}"],
    ["(8,9)", r"\langle 8, 9 \rangle"],
    [
        "18",
        r"\text{18}",
        r"\mathbf{18}",
        r"\boxed{18}",
        r"18\\\\",
    ],
    ["1/3", r"\nicefrac{1}{3}", r"{1 \over 3}", r"\frac{-1}{-3}"],
]

MEASURED = [
    ("7", ["7 cm", r"7\text{ cm}", r"7\,\mathrm{cm}", "7cm", r"\textbf{7 cm}", "0.07 m", "7.0 centimeters"]),
    ("7", [r"7\text{ apples}", "7 apples", "7 apple"]),
    ("1000", [r"\$1,000", "1,000 dollars", r"\$1000.00", "1000 USD"]),
    (r"2\pi", [r"2 \pi \text{ square units}", r"\pi \cdot 2 \text{ square units}"]),
    ("45", [r"45^\circ", "45°", "45 degrees", r"45^{\circ}"]),
    ("3,000,000", [r"\$3 \text{ million dollars}", "3 million dollars"]),
    ("18", [r"18 \frac{\text{m}}{\text{s}^2}", "18 m/s^2", r"18~\mathrm{m} / \mathrm{s}^{2}", r"18 \text{ m/s}^2"]),
    ("(3,4)", [r"(3 \text{ cm}, 4 \text{ cm})", r"(3\mathrm{~cm},4\mathrm{~cm})"]),
    ("27/10", ["2.7 km/h", "0.75 m/s"]),
]
"""A number, and spellings of one quantity of which the first has that number."""

DIFFERENT = [
    ("5 m", "5 s"),
    ("1 m", "1 cm"),
    ("100 cm", "1"),
    ("5 apples", "5 oranges"),
    (r"\$5", "5 euros"),
    ("5 m^2", "5 m"),
    ("3 h 20 min", "3 h 21 min"),
    ("a < b < c", "a < d < c"),
    ("a > b", "c > b"),
    (r"\begin{vmatrix}1&2\\3&4\end{vmatrix}", r"\begin{pmatrix}1&2\\3&4\end{pmatrix}"),
    (r"\begin{pmatrix}1&2\end{pmatrix}", r"\begin{pmatrix}1\\2\end{pmatrix}"),
    ("1 11", "11 1"),
    ("A1", "A"),
    ("x2", "2x"),
    ("3/5/2020", "6/10/2020"),
    ("y=1, x=2", "x=1, y=2"),
    (r"3 \text{ AM}", r"3 \text{ PM}"),
    ("3 million", "3 billion"),
    (r"n \text{ is even}", r"n \text{ is odd}"),
    (r"n \text{ is even}", "n"),
    ("3 dozen", "3"),
    ("7", "-7"),
    ("7", "8"),
    ("7", "70"),
    ("0.3", "0.30001"),
    ("1/3", "0.333333333333"),
    (r"\frac{1}{2}", "2"),
    (r"\frac{3}{4}", r"\frac{4}{3}"),
    (r"3\sqrt{13}", "3"),
    (r"3\sqrt{13}", r"\sqrt{13}"),
    (r"3\sqrt{13}", r"13\sqrt{3}"),
    (r"\sqrt2", "1.41421356237"),
    (r"\pi", "3.14159265358979"),
    (r"\pi", r"\frac{22}{7}"),
    ("(1,2)", "[1,2]"),
    ("(1,2)", "(2,1)"),
    ("(1,2]", "[1,2)"),
    ("[1,2]", r"\{1,2\}"),
    ("(1,2)", "(1,2,3)"),
    ("1,2", "1,2,2"),
    (r"\{1,2\}", r"\{1,3\}"),
    ("x^2", "x^3"),
    ("x+1", "x-1"),
    ("2^{10}", "2^{11}"),
    ("x", "y"),
    ("x_1", "x_2"),
    ("2n", "n^2"),
    (r"x \ge 2", "x > 2"),
    (r"x \ge 2", r"x \le 2"),
    ("yes", "no"),
    ("1,000", "1,001"),
    ("1000", "1,0000"),
    ("1.24e-8", "1.25e-8"),
    (r"\frac{1}{n+1}", r"\frac{1}{n-1}"),
    ("|x|", "x"),
    (r"\lceil n/2 \rceil", r"\lfloor n/2 \rfloor"),
    (r"\sin x", r"\cos x"),
    (r"\ln 2", r"\ln 3"),
    ("101_2", "101"),
    ("2:3", "3:2"),
    ("7", "seven"),
    ("7", ""),
    ("", "0"),
    ("10^{20}", "10^{20}+1"),
    (r"\sqrt{10^{12}+1}", "10^6"),
    (r"\emptyset", "0"),
    ("1+2i", "1-2i"),
    ("(B)", "(C)"),
    ("x=1,y=2", "x=2,y=1"),
    ("2x+3y=6", "2x+3y=7"),
]


@pytest.mark.parametrize("spellings", SAME, ids=lambda spellings: spellings[0])
def test_spellings_of_one_answer_have_one_normal_form(spellings: list[str]) -> None:
    assert {normal_form(spelling) for spelling in spellings} == {normal_form(spellings[0])}


@pytest.mark.parametrize(("number", "spellings"), MEASURED, ids=lambda value: str(value)[:12])
def test_a_quantity_has_one_normal_form_and_a_bare_number_may_stand_for_it(number: str, spellings: list[str]) -> None:
    assert {form(spelling).key for spelling in spellings} == {form(spellings[0]).key} != {form(number).key}
    assert compare(form(number), form(spellings[0])) == [] == compare(form(spellings[0]), form(number))
    for spelling in spellings:
        assert compare(form(number), form(spelling), strict=True) is None
        assert form(normal_form(spelling)).key == form(spelling).key


def test_different_answers_are_told_apart() -> None:
    for a, b in DIFFERENT:
        assert compare(form(a), form(b)) is None, (a, b)
        assert compare(form(b), form(a)) is None, (b, a)


def test_the_groups_above_differ_from_each_other() -> None:
    for i, first in enumerate(SAME):
        for second in SAME[i + 1 :]:
            assert compare(form(first[0]), form(second[0])) != [], (first[0], second[0])


@pytest.mark.parametrize(
    ("percent", "number"), [("8%", "8"), ("8%", "0.08"), (r"8\%", "8 %"), ("12.5%", r"\frac18"), ("50%", "1/2")]
)
def test_a_percentage_is_its_fraction_and_also_the_bare_number_of_percent(percent: str, number: str) -> None:
    assert compare(form(percent), form(number)) == []
    assert compare(form(number), form(percent)) == []


def test_normal_forms_are_readable() -> None:
    assert normal_form("0.50") == "1/2"
    assert normal_form(r"\{2, 1\}") == "{1, 2}"
    assert normal_form(r"\sqrt{12}") == "2*3^(1/2)"
    assert normal_form("No solution") == "no solution"
    assert normal_form("5 ft 6 in") == r"5 \text{ft} 6 \text{in}"


def test_what_only_a_symbolic_library_can_tell_is_left_open() -> None:
    for a, b in [
        (r"\sqrt[3]{7+5\sqrt{2}}", r"1+\sqrt2"),
        (r"\sin^2 x + \cos^2 x", "1"),
        (r"\int_0^1 x\,dx", "1/2"),
        (r"\sum_{i=1}^{n} i", r"\frac{n(n+1)}{2}"),
    ]:
        assert compare(form(a), form(b)), (a, b)
        assert compare(form(a), form(b)) == compare(form(b), form(a))


def test_what_is_too_large_to_compute_is_equal_to_itself_only() -> None:
    for large in ["9**9**9**9+x", "((4!)!)!", "9^{9^{9^9}}", r"\frac{((5!)!)!}{2}"]:
        assert compare(form(large), form(f" {large} ")) == []
        for other in ["3x", "5", "((6!)!)!", r"\infty"]:
            assert compare(form(large), form(other)) is None


def test_junk_costs_no_symbolic_check() -> None:
    for junk in [
        "7 3",
        "5 +",
        "( 4",
        "= =",
        "t(0,4]",
        "1 2 3 +",
        "x +* 2",
        "the answer is 5",
        "?",
        r"\frac{7}",
        r"\sqrt",
        r"\frac{1}{2",
        r"\pi)",
    ]:
        assert compare(form(junk), form("5")) is None
        assert compare(form(junk), form("73 + x")) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\0",
        "\ud800",
        "{" * 3000,
        "(" * 999,
        "(" * 30 + ")" * 30,
        "1" * 1999,
        "9" * 100_000,
        r"\frac" * 400,
        "x^" * 900 + "x",
        "-" * 1999,
        "1," * 900,
        "x_" * 900,
        "2^{2^{2^{2^{2^{2}}}}}",
        "(a+b+c+d+e)^{50}",
        "10^{10^{10}}",
        "1e999999999",
        r"\sqrt{" * 300 + "2" + "}" * 300,
        "1/0",
        "0^{-1}",
        "0^0",
        r"\ln 0",
        "999999!",
        r"\binom{10^9}{10^8}",
        "<script>alert(1)</script>",
        "$(rm -rf /)",
        "__import__('os').system('true')",
        r"\text{" * 100,
        "x" * 1999,
        r"\left" * 300,
        "((((1,2),3),4),5)",
        "a=b=c=d",
        "1<2<3<4",
        r"\pm" * 100,
        r"\pm 1" * 12,
    ],
)
def test_no_answer_is_too_strange_or_too_large(text: str) -> None:
    start = time.process_time()
    assert isinstance(normal_form(text), str)
    assert time.process_time() - start < 1


PIECES = st.sampled_from(
    [
        *"0127.,+-*/^_()[]{}|=<!%xnei$~&:; ",
        r"\frac",
        r"\sqrt",
        r"\{",
        r"\}",
        r"\pi",
        r"\le",
        r"\cup",
        r"\pm",
        r"\sin",
        r"\ln",
        r"\text{ cm}",
        r"\infty",
        r"\binom",
        "**",
        "and",
        "cm",
        "1,000",
        r"\\",
        "\\",
    ]
)
ANSWERS = st.lists(PIECES | st.text(max_size=3), max_size=14).map("".join)


@settings(deadline=None)
@given(ANSWERS, ANSWERS)
def test_any_two_texts_compare_the_same_both_ways(a: str, b: str) -> None:
    assert compare(form(a), form(a)) == []
    one, other = compare(form(a), form(b)), compare(form(b), form(a))
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        assert sorted(map(repr, one)) == sorted(map(repr, other))


@settings(deadline=None)
@given(ANSWERS)
def test_a_normal_form_is_an_answer_that_equals_the_text(text: str) -> None:
    """Pseudo-labels are normal forms: what they are compared with later is what was voted for."""
    normal = normal_form(text)
    assert compare(form(normal), form(text)) == []
    assert normal_form(normal) == normal


@pytest.mark.parametrize("spellings", SAME, ids=lambda spellings: spellings[0])
def test_a_normal_form_is_its_own_normal_form(spellings: list[str]) -> None:
    normal = normal_form(spellings[0])
    assert form(normal).key == form(spellings[0]).key
    assert normal_form(normal) == normal


@settings(deadline=None)
@given(st.integers(-(10**20), 10**20), st.integers(-(10**20), 10**20))
def test_integers_are_equal_as_numbers(a: int, b: int) -> None:
    assert (normal_form(str(a)) == normal_form(f"{b:,}")) == (a == b)


@settings(deadline=None)
@given(st.fractions(max_denominator=10**6), st.integers(1, 50))
def test_fractions_are_equal_as_numbers(value, factor: int) -> None:
    spelt = rf"\frac{{{value.numerator * factor}}}{{{value.denominator * factor}}}"
    assert normal_form(spelt) == normal_form(f"{value.numerator}/{value.denominator}") == str(value)


@settings(deadline=None)
@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=4))
def test_decimals_are_exact(value) -> None:
    assert normal_form(f"{value}00") == normal_form(str(value)) == normal_form(f"{value:e}")


def test_short_integers_cost_microseconds() -> None:
    start = time.process_time()
    for n in range(20_000):
        normal_form(str(n))
    assert (time.process_time() - start) / 20_000 < 20e-6


def test_normal_forms_need_no_heavy_library() -> None:
    code = (
        "import sys; from rdiverse.grading.pool import GradingPool; assert GradingPool().equal('0.5', '1/2');"
        "print([m for m in ('sympy', 'math_verify', 'numpy') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
