r"""Pairs of answers with verdicts by construction: a value is drawn, spelt in several ways, and edited once.

A kind gives, for one draw, spellings that are equal and spellings of a value that one edit has made another. No grader is
asked.
"""
# ruff: noqa: E501  a function is a kind, named as in docs/grading.md; a line of spellings stays one line

import random
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

Draw = tuple[list[str], list[str]]


class Pair(NamedTuple):
    """Two answers and whether they are equal."""

    kind: str
    a: str
    b: str
    equal: bool


def integer(rng: random.Random) -> Draw:
    n = rng.randrange(1001, 9_999_999)
    digits = str(n)
    at = rng.randrange(len(digits))
    swapped = digits[:at] + str((int(digits[at]) + rng.randrange(1, 9)) % 9 + 1) + digits[at + 1 :]
    others = [f"-{n}", str(n + rng.choice([-1, 1])), f"{10 * n:,}"] + ([swapped] if swapped != digits else [])
    spaced = f"{n:,}".replace(",", r"\ ")
    return [
        digits,
        f"{n:,}",
        spaced,
        f"{n:,}".replace(",", r",\! "),
        rf"\textcolor{{red}}{{{n}}}",
        f"n = {n}",
        f"{n}.00",
    ], others


def fraction(rng: random.Random) -> Draw:
    top, bottom = rng.randrange(2, 90), rng.choice([3, 7, 11, 13, 17, 19])
    top += top % bottom == 0
    if top % bottom == 0:
        top += 1
    k = rng.randrange(2, 9)
    same = [f"{top}/{bottom}", rf"\frac{{{top}}}{{{bottom}}}", rf"\\dfrac{{{k * top}}}{{{k * bottom}}}", f"{top}⁄{bottom}"]
    return same, [f"{bottom}/{top}", rf"-\frac{{{top}}}{{{bottom}}}", rf"\frac{{{top + 1}}}{{{bottom}}}", f"{top}/{bottom + 1}"]


def decimal(rng: random.Random) -> Draw:
    n = rng.randrange(11, 9999)
    value = f"{n // 100}.{n % 100:02d}"
    same = [value, f"{value}0", rf"\frac{{{n}}}{{100}}", f"{n}e-2", rf"{n} \times 10^{{-2}}", f"{n}·10⁻²"]
    return same, [f"{n // 10}.{n % 10}", f"-{value}", f"{value}1", f"{n}e-3", rf"{n} \times 10^{{2}}"]


def repeating(rng: random.Random) -> Draw:
    period = rng.choice(["3", "6", "7", "12", "45", "142857", "037"])
    start = rng.choice(["", "1", "25"])
    whole = rng.randrange(9)
    value = whole + Fraction(int(start + period) - int(start or 0), (10 ** len(period) - 1) * 10 ** len(start))
    dotted = rf"\dot{{{period}}}" if len(period) == 1 else rf"\dot{{{period[0]}}}{period[1:-1]}\dot{{{period[-1]}}}"
    same = [f"{whole}.{start}({period})", rf"{whole}.{start}\overline{{{period}}}", f"{whole}.{start}{dotted}", str(value)]
    same.append(rf"{whole}.{start}{period * 3}\ldots")
    wrong = [
        f"{whole}.{start}{period}",
        f"{whole + 1}.{start}({period})",
        f"-{whole}.{start}({period})",
        f"{whole}.{start}0({period})",
    ]
    return same, [*wrong[: 3 if whole else 2], wrong[3]] if value else []


def percent(rng: random.Random) -> Draw:
    n = rng.choice([k for k in range(2, 996) if k % 10])
    p = f"{n // 10}.{n % 10}"
    same = [rf"{p}\%", f"{p} pct", f"{p}％", f"{p} percent", rf"{p}\text{{ percent}}", f"{p} percentage"]
    return same, [
        rf"{p}1\%",
        rf"-{p}\%",
        rf"{n}\%",
        f"{n}/10000",
        f"{n // 10}.{(n + 1) % 10 or 5}%" if n % 10 != 9 else f"{n}1%",
    ]


def surd(rng: random.Random) -> Draw:
    a, n = rng.randrange(2, 30), rng.choice([2, 3, 5, 7, 11, 13])
    same = [
        rf"{a}\sqrt{{{n}}}",
        rf"\sqrt{{{a * a * n}}}",
        rf"\frac{{{a * n}}}{{\sqrt{{{n}}}}}",
        f"{a}√{n}",
        rf"{a}\\sqrt{{{n}}}",
    ]
    return same, [
        rf"{n}\sqrt{{{a}}}" if n != a else rf"\sqrt{{{n}}}",
        rf"-{a}\sqrt{{{n}}}",
        rf"{a}\sqrt[3]{{{n}}}",
        rf"{a + 1}\sqrt{{{n}}}",
    ]


def approximation(rng: random.Random) -> Draw:
    a, b = rng.randrange(2, 60), rng.choice([7, 9, 11, 13])
    a += a % b == 0
    exact = rf"\frac{{{a}}}{{{b}}}"
    same = [exact, rf"{exact} \approx {a / b:.3f}", rf"x = {exact} ≈ {a / b:.2f}", rf"A = {a}/{b} \approx {a / b:.1f}"]
    wrong = rf"\frac{{{a + 1}}}{{{b}}}"
    return same, [
        wrong,
        rf"x = {wrong} \approx {a / b:.3f}",
        rf"-{exact} \approx -{a / b:.3f}",
        rf"\frac{{{b}}}{{{a}}} ≈ {b / a:.2f}",
    ]


LENGTH, MASS, TIME = (
    {"mm": 1, "cm": 10, "m": 1000, "km": 1_000_000},
    {"g": 1, "kg": 1000},
    {"seconds": 1, "minutes": 60, "hours": 3600},
)


def quantity(rng: random.Random) -> Draw:
    table = rng.choice([LENGTH, MASS, TIME])
    small, large = sorted(rng.sample(list(table), 2), key=table.__getitem__)
    n, factor = rng.randrange(2, 90), table[large] // table[small]
    same = [f"{n} {large}", rf"{n}\text{{ {large}}}", rf"{n * factor} \text{{ {small}}}", rf"{n}\textnormal{{ {large}}}"]
    return same, [
        rf"{n} \text{{ {small}}}",
        rf"{n + 1} \text{{ {large}}}",
        rf"-{n} \text{{ {large}}}",
        rf"{n}\text{{ {large}}}^2",
    ]


def bare_number(rng: random.Random) -> Draw:
    n, unit = (
        rng.randrange(2, 400),
        rng.choice(["cm", "kg", "m", "s", "dollars", "apples", "°C", "m²", "千克", "元", "分钟", "miles", "ways"]),
    )
    return [str(n), f"{n} {unit}"], [f"{n + 1} {unit}", f"-{n} {unit}", f"{n}0 {unit}"]


def parts(rng: random.Random) -> Draw:
    large, small, factor = rng.choice(
        [("ft", "in", 12), ("h", "min", 60), ("lb", "oz", 16), ("hours", "minutes", 60), ("m", "cm", 100)]
    )
    a, b = rng.sample(range(1, 12), 2)
    same = [f"{a} {large} {b} {small}", rf"{a}\text{{ {large} }}{b}\text{{ {small}}}", rf"{a * factor + b} \text{{ {small}}}"]
    return same, [
        f"{b} {large} {a} {small}",
        f"{a} {large} {b % 11 + 1} {small}",
        f"{a} {small} {b} {large}",
        rf"{a * b} \text{{ {small}}}",
    ]


WORDS = [
    "odd",
    "even",
    "red",
    "Tom",
    "none",
    "cat",
    "yes",
    "DNE",
    "square",
    "Sunday",
    "add",
    "dad",
    "top",
    "pot",
    "ten",
    "net",
    "increasing",
]


def word(rng: random.Random) -> Draw:
    one = rng.choice(WORDS)
    letters = list(one.lower())
    i, j = rng.sample(range(len(letters)), 2)
    letters[i], letters[j] = letters[j], letters[i]
    other = rng.choice([w for w in WORDS if w != one])
    swapped = "".join(letters)
    wrong = [other, rf"\text{{{other}}}", f"not {one}"] + ([swapped] if swapped != one.lower() else [])
    return [one, rf"\text{{{one}}}", one.lower(), rf"\textbf{{{one}}}", f"{one}."], wrong


def code(rng: random.Random) -> Draw:
    letters = rng.sample("ABCDEFGHJKLMNPQ", 3)
    one = "".join(letters)
    number = f"{one[:2]}{rng.randrange(2, 99)}"
    same = rng.choice([[one, rf"\text{{{one}}}", rf"\mathrm{{{one}}}"], [number, rf"\text{{{number}}}"]])
    base = same[0]
    return same, [base[1] + base[0] + base[2:], base[::-1], base + base[-1], base[-1] + base[:-1]]


def choice(rng: random.Random) -> Draw:
    some = sorted(rng.sample("ABCDEFGH", rng.randrange(1, 4)))
    other = [rng.choice([c for c in "ABCDEFGH" if c not in some]), *some[1:]]
    same = [", ".join(some), rf"\text{{{','.join(some)}}}", ", ".join(some[::-1])]
    same += (
        [f"({some[0]})", rf"\text{{({some[0]})}}"] if len(some) == 1 else [rf"\text{{{', '.join(some[:-1])} and {some[-1]}}}"]
    )
    return same, [", ".join(other), rf"\text{{{','.join(other)}}}", ", ".join([*some, other[0]])]


def ordered(rng: random.Random) -> Draw:
    a = rng.sample(range(-20, 20), rng.choice([2, 3]))
    names = ",".join("xyz"[: len(a)])
    inside = ",".join(map(str, a))
    same = [
        f"({inside})",
        rf"\left({', '.join(map(str, a))}\right)",
        f"（{'，'.join(map(str, a))}）",
        f"({names}) = ({inside})",
    ]
    other = [a[1], a[0], *a[2:]]
    return same, [
        f"({','.join(map(str, other))})",
        f"({names})=({','.join(map(str, other))})",
        f"({inside},{a[0]})",
        f"[{inside}]",
        f"({a[0] + 1},{','.join(map(str, a[1:]))})",
    ]


def unordered(rng: random.Random) -> Draw:
    a = rng.sample(range(-30, 30), rng.choice([2, 3, 4]))
    text = ", ".join(map(str, a))
    same = [
        text,
        ", ".join(map(str, a[::-1])),
        rf"\{{{text}\}}",
        "、".join(map(str, a)),
        rf"{', '.join(map(str, a[:-1]))} \text{{ and }} {a[-1]}",
    ]
    b = [next(n for n in range(31, 99) if n not in a), *a[1:]]
    return same, [
        ", ".join(map(str, b)),
        rf"\{{{', '.join(map(str, a[1:]))}\}}",
        ", ".join(map(str, [*a, a[0]])),
        f"({text})",
        ", ".join(map(str, [-a[0] or 77, *a[1:]])) if -a[0] not in a else f"{text}, 99",
    ]


def plus_minus(rng: random.Random) -> Draw:
    a, b, c = rng.randrange(1, 9), rng.choice([2, 3, 5, 7]), rng.randrange(10, 20)
    same = [
        rf"{c}, {a} \pm \sqrt{{{b}}}",
        rf"\{{{a}+\sqrt{{{b}}}, {a}-\sqrt{{{b}}}, {c}\}}",
        rf"x = {c}, x = {a} ± \sqrt{{{b}}}",
    ]
    return same, [
        rf"{a} \pm \sqrt{{{b}}}",
        rf"{c}, {a}+\sqrt{{{b}}}",
        rf"-{c}, {a} \pm \sqrt{{{b}}}",
        rf"{c}, {a + 1} \pm \sqrt{{{b}}}",
        rf"{c}, -{a} \pm \sqrt{{{b}}}",
    ]


def named_list(rng: random.Random) -> Draw:
    a, b = rng.sample(range(1, 40), 2)
    p, q = rng.choice([("x", "y"), ("x_1", "x_2"), ("AB", "CD"), ("m", "n")])
    return [f"{p}={a}, {q}={b}", f"{a}, {b}", f"{p} = {a}, {q} = {b}"], [
        f"{p}={a}, {q}={b + 1}",
        f"{p}={a},{q}=-{b}",
        f"{p}={a + 40},{q}={b}",
    ]


def interval(rng: random.Random) -> Draw:
    a, b = sorted(rng.sample(range(-20, 20), 2))
    left, right = rng.choice(["([", "[("]), rng.choice([")]", "])"])
    sign = {"(": "<", "[": r"\le"}[left[0]], {")": "<", "]": r"\le"}[right[0]]
    same = [
        f"{left[0]}{a}, {b}{right[0]}",
        f"{a} {sign[0]} x {sign[1]} {b}",
        rf"\left{left[0]}{a},{b}\right{right[0]}",
        f"{a} {sign[0]} f(x) {sign[1]} {b}",
    ]
    return same, [
        f"{left[1]}{a},{b}{right[0]}",
        f"{left[0]}{a},{b}{right[1]}",
        f"{left[0]}{a},{b + 1}{right[0]}",
        f"{left[0]}{a - 1},{b}{right[0]}",
    ]


def union(rng: random.Random) -> Draw:
    a, b, c = sorted(rng.sample(range(-20, 20), 3))
    same = [
        rf"(-\infty, {a}) \cup ({b}, {c}]",
        rf"({b},{c}] \cup (-\infty,{a})",
        rf"\left(-\infty,{a}\right)∪\left({b},{c}\right]",
    ]
    return same, [
        rf"(-\infty, {a}] \cup ({b}, {c}]",
        rf"(-\infty, {a}) \cup ({b}, {c})",
        rf"(-\infty, {a}) \cap ({b}, {c}]",
        rf"(-\infty, {a - 1}) \cup ({b}, {c}]",
        rf"({b}, {c}]",
    ]


def ray(rng: random.Random) -> Draw:
    a = rng.randrange(-30, 30) or 1
    same = [
        f"x > {a}",
        rf"({a}, \infty)",
        f"{a} < x",
        f"2x > {2 * a}",
        rf"x \in ({a}, +\infty)",
        f"x-{a} > 0" if a > 0 else f"x+{-a} > 0",
    ]
    return same, [rf"x \ge {a}", f"x < {a}", f"x > {a + 1}", f"x > {-a}", rf"[{a}, \infty)"]


def line(rng: random.Random) -> Draw:
    a, b, c = rng.randrange(2, 9), rng.randrange(2, 9), rng.randrange(1, 30)
    same = [
        f"{a}x + {b}y = {c}",
        f"{c} = {b}y + {a}x",
        f"{2 * a}x+{2 * b}y-{2 * c}=0",
        rf"y = -\frac{{{a}}}{{{b}}}x + \frac{{{c}}}{{{b}}}",
        f"-{a}x-{b}y=-{c}",
    ]
    return same, [
        f"{a}x - {b}y = {c}",
        f"{a}x + {b}y = {c + 1}",
        f"{a + 1}x + {b}y = {c}",
        rf"y = \frac{{{a}}}{{{b}}}x + \frac{{{c}}}{{{b}}}",
        f"{a}x + {b}y = -{c}",
    ]


def chain(rng: random.Random) -> Draw:
    a, b, c = rng.sample(["f(1)", "f(2)", "f(4)", "f(0)"], 3) if rng.random() < 0.6 else rng.sample("abcpqr", 3)
    return [f"{a} < {b} < {c}", f"{c} > {b} > {a}", f"{a}<{b}<{c}"], [
        f"{b} < {a} < {c}",
        f"{a} > {b} > {c}",
        rf"{a} \le {b} < {c}",
        f"{a} < {c} < {b}",
    ]


def system(rng: random.Random) -> Draw:
    a, b = rng.sample(range(1, 40), 2)
    same = [
        rf"\begin{{cases}} x+y={a} \\ x-y={b} \end{{cases}}",
        rf"\begin{{cases}} x-y={b} \\ x+y={a} \end{{cases}}",
        f"x+y={a}, x-y={b}",
    ]
    return same, [
        rf"\begin{{cases}} x+y={b} \\ x-y={a} \end{{cases}}",
        rf"\begin{{cases}} x+y={a} \\ x-2y={b} \end{{cases}}",
        rf"\begin{{cases}} x+y={a} \end{{cases}}",
        rf"\begin{{cases}} x+y={a} \\ x-y=-{b} \end{{cases}}",
    ]


def named_value(rng: random.Random) -> Draw:
    n = rng.randrange(2, 90)
    name = rng.choice(
        [
            "AB",
            "f(2)",
            r"\text{Area}",
            "P(X > 3)",
            "|AB|",
            "S_{ABC}",
            r"\angle ABC",
            "x_1",
            r"\frac{NO}{BO}",
            "area",
            "f'(1)",
            "a_{10}",
        ]
    )
    return [str(n), f"{name} = {n}", rf"{name} = \frac{{{2 * n}}}{{2}}"], [
        f"{name} = {n + 1}",
        f"{name} = -{n}",
        f"{name} = {n}0",
        rf"{name} = \frac{{1}}{{{n}}}",
    ]


def ratio(rng: random.Random) -> Draw:
    a, b = rng.sample([2, 3, 5, 7, 11, 13], 2)
    k = rng.randrange(2, 6)
    same = [
        f"{a}:{b}",
        f"{k * a} : {k * b}",
        rf"\frac{{{a}}}{{{b}}}:1",
        f"{a}：{b}",
        f"{a} to {b}",
        rf"S_{{ABC}}:S = {a}:{b}",
        f"{a / 10}:{b / 10}",
    ]
    return same, [f"{b}:{a}", f"{a + 1}:{b}" if (a + 1) != b else f"{a}:{a}", f"{b} to {a}", f"{a}:{b}:{b}", f"{a}:{b * a}"]


def time(rng: random.Random) -> Draw:
    hour, minute, half = rng.randrange(1, 13), rng.randrange(10, 60), rng.choice("ap")
    other = "ap"["pa".index(half)]
    same = [
        f"{hour}:{minute} {half}m",
        rf"{hour}:{minute} \text{{ {half.upper()}M}}",
        f"{hour}:{minute} {half}.m.",
        rf"{hour}:{minute}\,\mathrm{{{half}m}}",
    ]
    return same, [
        f"{hour}:{minute} {other}m",
        f"{hour % 12 + 1}:{minute} {half}m",
        f"{hour}:{(minute - 9) % 50 + 10} {half}m",
        rf"{hour}:{minute} \text{{ {other.upper()}M}}",
    ]


MONTHS = ["January", "March", "April", "June", "July", "August", "October", "December"]


def date(rng: random.Random) -> Draw:
    i, day, year = rng.randrange(len(MONTHS)), rng.randrange(1, 29), rng.randrange(1900, 2030)
    month, other = MONTHS[i], MONTHS[i - 1]
    number = ["January", "", "March", "April", "", "June", "July", "August", "", "October", "", "December"].index(month) + 1
    same = [
        f"{month} {day}, {year}",
        f"{day} {month} {year}",
        rf"\text{{{month} {day}, {year}}}",
        f"{year}-{number:02d}-{day:02d}",
        f"{month[:3]}. {day}, {year}",
    ]
    return same, [f"{other} {day}, {year}", f"{month} {day % 28 + 1}, {year}", f"{day} {month} {year + 1}", f"{month} {day}"]


def base(rng: random.Random) -> Draw:
    b, n = rng.randrange(2, 9), rng.randrange(20, 900)
    digits, m = "", n
    while m:
        digits, m = str(m % b) + digits, m // b
    plus = digits[:-1] + str((int(digits[-1]) + 1) % b)
    return [f"{digits}_{b}", f"{digits}_{{{b}}}", f"({digits})_{{{b}}}", str(n)], [
        f"{digits}_{b + 1}",
        f"{plus}_{b}",
        f"1{digits}_{{{b}}}",
        f"{digits}_{{{b + 2}}}",
    ]


def matrix(rng: random.Random) -> Draw:
    a, b, c, d = rng.sample(range(-9, 10), 4)

    def written(kind: str, *cells: object) -> str:
        return rf"\begin{{{kind}}} {cells[0]} & {cells[1]} \\ {cells[2]} & {cells[3]} \end{{{kind}}}"

    same = [
        written("pmatrix", a, b, c, d),
        written("bmatrix", a, b, c, d),
        written("pmatrix", a, rf"\frac{{{2 * b}}}{{2}}", c, d),
    ]
    return same, [
        written("pmatrix", b, a, c, d),
        written("bmatrix", a, b, c, d + 1),
        written("vmatrix", a, b, c, d),
        written("pmatrix", c, d, a, b),
        written("bmatrix", a, c, b, d),
    ]


def determinant(rng: random.Random) -> Draw:
    a, b, c, d = rng.sample(range(1, 12), 4)
    same = [
        rf"\begin{{vmatrix}} {a} & {b} \\ {c} & {d} \end{{vmatrix}}",
        str(a * d - b * c),
        rf"\begin{{vmatrix}} {a} & {c} \\ {b} & {d} \end{{vmatrix}}",
    ]
    wrong = [
        rf"\begin{{vmatrix}} {b} & {a} \\ {d} & {c} \end{{vmatrix}}",
        str(a * d - b * c + 1),
        rf"\begin{{vmatrix}} {a} & {b} \\ {c} & {d + 1} \end{{vmatrix}}",
    ]
    return same, wrong[0 if a * d != b * c else 1 :]


def polynomial(rng: random.Random) -> Draw:
    a, b = rng.sample(range(2, 12), 2)
    x = rng.choice("xnt")
    same = [
        f"({x}+{a})({x}-{b})",
        rf"{x}^2 + ({a}-{b}){x} - {a * b}",
        f"({x}-{b})({x}+{a})",
        rf"{x}² + {a}{x} - {b}({x} + {a})",
    ]
    return same, [f"({x}-{a})({x}+{b})", f"({x}+{a})({x}+{b})", rf"{x}^3 + ({a}-{b}){x} - {a * b}", f"2({x}+{a})({x}-{b})"]


def letters(rng: random.Random) -> Draw:
    a, b = rng.sample("xyzuvw", 2)
    n = rng.randrange(2, 20)
    return [f"{n}{a}{b}", f"{n}{b}{a}", rf"{n} {a} \cdot {b}", rf"{n}\,{a}{b}"], [
        f"{n + 1}{a}{b}",
        f"{n}{a}{a}",
        f"-{n}{a}{b}",
        f"{n}{a}",
        rf"{n}\frac{{{a}}}{{{b}}}",
        f"{n}({a}+{b})",
    ]


def subscript(rng: random.Random) -> Draw:
    x, i = rng.choice("axu"), rng.randrange(1, 8)
    return [f"2{x}_{i}+1", f"2{x}_{{{i}}}+1", f"1 + 2{x}{'₀₁₂₃₄₅₆₇₈₉'[i]}"], [
        f"2{x}_{i + 1}+1",
        f"2{x}_{i}-1",
        f"{x}_{i}+1",
        f"2{x}^{i}+1",
    ]


def power(rng: random.Random) -> Draw:
    p, n = rng.choice([2, 3, 5]), rng.randrange(60, 6000)
    same = [f"{p}^{{{2 * n}}}", f"{p * p}^{{{n}}}", rf"{p}^{{2 \cdot {n}}}", rf"{p}^{{{n}}} \cdot {p}^{{{n}}}"]
    return same, [f"{p}^{{{2 * n + 1}}}", f"{p + 1}^{{{2 * n}}}", f"-{p}^{{{2 * n}}}", f"{p}^{{-{2 * n}}}", f"{2 * n}^{{{p}}}"]


def factorial(rng: random.Random) -> Draw:
    n, k = rng.randrange(10, 40), rng.randrange(2, 5)
    double = rf"\frac{{{2 * n}!}}{{2^{{{n}}} {n}!}}"
    if rng.random() < 0.5:
        return [f"{2 * n - 1}!!", double], [f"{2 * n + 1}!!", f"{2 * n - 1}!", f"{2 * n}!!", f"-{2 * n - 1}!!"]
    same = [rf"\binom{{{n}}}{{{k}}}", rf"\frac{{{n}!}}{{{k}!\,{n - k}!}}", rf"\binom{{{n}}}{{{n - k}}}"]
    return same, [
        rf"\binom{{{n}}}{{{k + 1}}}",
        rf"\binom{{{n + 1}}}{{{k}}}",
        rf"\frac{{{n}!}}{{{k}!}}",
        rf"-\binom{{{n}}}{{{k}}}",
    ]


def factors(rng: random.Random) -> Draw:
    a, b, c = rng.sample(range(2, 12), 3)
    same = [
        f"2^{a} * 3^{b} * 5^{c}",
        f"2^{{{a}}} 3^{{{b}}} 5^{{{c}}}",
        rf"5^{{{c}}} \cdot 2^{{{a}}} \times 3^{{{b}}}",
        str(2**a * 3**b * 5**c),
    ]
    return same, [
        f"2^{{{b}}} 3^{{{a}}} 5^{{{c}}}",
        f"2^{{{a}}} 3^{{{b}}} 5^{{{c + 1}}}",
        f"2^{{{a}}} 3^{{{b}}}",
        f"2^{{{a}}} 3^{{{b}}} 7^{{{c}}}",
    ]


def sentence(rng: random.Random) -> Draw:
    a, b = rng.sample(range(1, 30), 2)
    form = rng.choice(["{} out of {}", "{} in {}", "between {} and {} people", "{} R {}", "from {} to {} items"])
    one, other = form.format(a, b), form.format(b, a)
    return [one, rf"\text{{{one}}}", one + "."], [other, rf"\text{{{other}}}", form.format(a, b + 1)]


KINDS: dict[str, Callable[[random.Random], Draw]] = {
    kind.__name__.replace("_", " "): kind
    for kind in (
        integer, fraction, decimal, repeating, percent, surd, approximation, quantity, bare_number, parts, word, code, choice, ordered,
        unordered, plus_minus, named_list, interval, union, ray, line, chain, system, named_value, ratio, time, date, base, matrix,
        determinant, polynomial, letters, subscript, power, factorial, factors, sentence,
    )
}  # fmt: skip


def pairs(kind: str, count: int, equal: bool, seed: int = 0) -> list[Pair]:
    """So many different pairs of a kind, or as many as it has, each from a draw of its own."""
    rng = random.Random(f"{kind} {equal} {seed}")
    found: dict[Pair, None] = {}
    for _ in range(20 * count):
        same, others = KINDS[kind](rng)
        a = rng.choice(same)
        b = rng.choice([one for one in same if one != a] if equal else others)
        found[Pair(kind, *((a, b) if rng.random() < 0.5 else (b, a)), equal)] = None
        if len(found) == count:
            break
    return list(found)


def committed() -> list[Pair]:
    """The pairs that benchmarks/grading_pairs.jsonl keeps: 15 equal and 15 unequal ones a kind."""
    return [pair for kind in KINDS for equal in (True, False) for pair in pairs(kind, 15, equal)]
