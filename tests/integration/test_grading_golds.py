r"""Every gold answer of five public test sets equals its variants and differs from its mutations.

Variants and mutations are made of the text alone, by rules that know nothing of the grader. Both are counted by set and
kind; `-s` prints the table that stands in docs/grading.md, with every miss.
"""

import json
import random
import re
from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from tests.support.testdata import data

from rdiverse.grading.pool import GradingPool
from rdiverse.selfplay.parsing import last_boxed

SETS = ("gsm8k", "minerva_math", "olympiadbench", "amc23", "aime24")
NUMBER = re.compile(r"-?\d+(\.\d+)?")
FRACTION = re.compile(r"\\frac\{(-?\d+)\}\{(\d+)\}")
FULL_WIDTH = str.maketrans({character: chr(ord(character) + 0xFEE0) for character in "0123456789+-=,()<>%:"})
TERM = r"\\sqrt\s*\{[^{}]*\}|\\pi|[A-Za-z]"


def golds(name: str, folder: Path) -> list[str]:
    """The gold answers of a set, each once, without the dollar signs around them."""
    found = []
    for line in (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        match name:
            case "gsm8k":
                found.append(row["answer"].split("####")[-1].strip())
            case "minerva_math":
                found.append(last_boxed(row["solution"]) or "")
            case "olympiadbench":
                found += row["final_answer"] or []
            case _:
                found.append(str(row["answer"]))
    return sorted(set(found))


def bare(gold: str) -> str:
    return gold.replace("$", "").strip().rstrip(".")


def number(gold: str) -> Fraction | None:
    return Fraction(gold.replace(",", "")) if NUMBER.fullmatch(re.sub(r"(?<=\d),(?=\d{3}(\D|$))", "", gold)) else None


def decimal(value: Fraction) -> str | None:
    """The value as a decimal, when it ends after a few digits."""
    for digits in range(9):
        scaled = value * 10**digits
        if scaled.denominator == 1:
            text = f"{abs(scaled.numerator):0{digits + 1}d}"
            return ("-" if value < 0 else "") + (f"{text[:-digits]}.{text[-digits:]}" if digits else text)
    return None


def top_level(gold: str) -> list[str]:
    """The members of a list that stand outside of brackets."""
    parts, depth, last = [], 0, 0
    for i, character in enumerate(gold):
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            parts.append(gold[last:i])
            last = i + 1
    return [*parts, gold[last:]]


def variants(gold: str) -> Iterator[tuple[str, str]]:
    """Other spellings of the same answer."""
    text = bare(gold)
    value = number(text) if (ratio := FRACTION.fullmatch(text)) is None else Fraction(int(ratio[1]), int(ratio[2]))
    yield from (("around it", around.format(text)) for around in REWRITINGS)
    yield "full width", text.translate(FULL_WIDTH)
    if r"\\" not in text:
        yield "escaped twice", text.replace("\\", r"\\")
    unspaceable = "e" in text.lower() or re.search(r"\d,\d{3}", text)
    yield "spaces", f" {text} " if unspaceable else re.sub(r"([-+=,])", r" \1 ", text)
    yield "spacing commands", re.sub(r"(?<=[)}\]])(?=[(\\[])", r"\\,", text) + r"\ "
    yield from of_fractions(text)
    if value is not None:
        yield from of_number(text, value)
    yield from of_notations(text)
    yield from of_roots(text)
    yield from of_brackets(text)
    if value is None and "where" not in text:
        yield from of_lists(text)
    if "," not in text and not re.search(r"=|\\geqslant", text):
        yield "label", f"x = {text}"


REWRITINGS = (
    "${}$", "$${}$$", r"\({}\)", r"\[{}\]", r"\boxed{{{}}}", r"\fbox{{{}}}", r"\displaystyle {}", r"\large {}",
    r"\color{{red}}{{{}}}", r"\textcolor{{blue}}{{{}}}", "  {}  ", r"\, {} \,", r"\quad {}", r"~{}~", "{}.", "{}\n", r"{} \\",
    "= {}", r"\therefore {}", "\u00a0{}\u00a0", r"\enspace {}",
)  # fmt: skip
"""What is written around an answer, and does not change it."""


def of_fractions(text: str) -> Iterator[tuple[str, str]]:
    if r"\frac" in text:
        yield "dfrac", text.replace(r"\frac", r"\dfrac")
        yield "tfrac", text.replace(r"\frac", r"\tfrac")
        yield "slash", FRACTION.sub(r"(\1/\2)", text)
    sign = "-" if text.startswith("-") else ""
    whole = FRACTION.fullmatch(text.lstrip("-"))
    if whole:
        top, bottom = int(whole[1]), int(whole[2])
        yield "slash", f"{sign}{top}/{bottom}"
        yield "minus outside", rf"-\frac{{{-top}}}{{{bottom}}}" if top < 0 else rf"{sign}\frac {{{top}}} {{{bottom}}}"
        yield "unreduced", rf"{sign}\frac{{{2 * top}}}{{{2 * bottom}}}"
        if (ends := decimal(Fraction(top, bottom) * (-1 if sign else 1))) is not None:
            yield "decimal", ends


def of_notations(text: str) -> Iterator[tuple[str, str]]:
    if "%" in text:
        points = Fraction(text.replace("%", "").replace("\\", "").strip())
        yield from (("percent", f"{decimal(points)}{sign}") for sign in ("%", r"\%", r" \%", r"\,\%"))
        yield "percent", str(decimal(points / 100))
    if science := re.fullmatch(r"(-?[\d.]+)e(-?\d+)", text):
        yield "scientific", rf"{science[1]} \times 10^{{{science[2]}}}"
        exponent = science[2] if len(science[2]) == 1 else f"{{{science[2]}}}"
        yield "scientific", rf"{science[1]} \cdot 10^{exponent}"


def of_roots(text: str) -> Iterator[tuple[str, str]]:
    if re.search(r"\\sqrt\s*\{\d+\}", text) or r"\pi" in text:
        yield "plain words", re.sub(r"\\sqrt\s*\{(\d+)\}", r"sqrt(\1)", text).replace(r"\pi", "pi")
        yield "dots", re.sub(r"(?<=\d)\s*(?=\\sqrt|\\pi)", r" \\cdot ", text)
        yield "short root", re.sub(r"\\sqrt\s*\{(\d)\}", r"\\sqrt\1", text)


def of_brackets(text: str) -> Iterator[tuple[str, str]]:
    if "(" in text or "[" in text:
        small = text.replace(r"\left", "").replace(r"\right", "")
        yield "left right", re.sub(r"([(\[])", r"\\left\1", re.sub(r"([)\]])", r"\\right\1", small))
        yield "tuple spacing", re.sub(r"\s*([,()\[\]])\s*", r" \1 ", small)
        yield "tuple spacing", re.sub(r"\s*,\s*", ",", text)


def of_lists(text: str) -> Iterator[tuple[str, str]]:
    members = top_level(text)
    if len(members) > 1:
        yield "order", ", ".join(reversed(members))
        yield "and", ", ".join(members[:-1]) + r" \text{ and } " + members[-1]
        if all(NUMBER.fullmatch(member.strip()) for member in members) and len(set(members)) == len(members):
            yield "braces", rf"\{{{text}\}}"


def of_number(text: str, value: Fraction) -> Iterator[tuple[str, str]]:
    """Other spellings of a plain number."""
    ends = decimal(value)
    for unit in (
        r"\text{ cm}",
        r" \text{ square units}",
        r"\mathrm{~cm}^2",
        " dollars",
        r"^{\circ}",
        r" \text{ apples per day}",
        " cm",
    ):
        yield "unit", text + unit
    yield "currency", rf"\${text}" if not text.startswith("-") else text
    if ends is None:
        return
    yield "trailing zero", ends + ("0" if "." in ends else ".0")
    yield "trailing zero", ends + ("00" if "." in ends else ".00")
    yield "percent", f"{decimal(value * 100)}%"
    yield "percent", rf"{decimal(value * 100)}\%"
    if value.denominator == 1:
        yield "fraction", rf"\frac{{{3 * value.numerator}}}{{3}}"
        if abs(value) >= 1000:
            grouped = f"{value.numerator:,}"
            for comma in (",", "{,}", r",\!", r"\,", " "):
                yield "thousands", grouped.replace(",", comma)
    else:
        yield "fraction", rf"\frac{{{value.numerator}}}{{{value.denominator}}}"
    if abs(value) < 1 and ends.lstrip("-").startswith("0."):
        yield "no leading zero", ends.replace("0.", ".", 1)


def mutations(gold: str, rng: random.Random) -> Iterator[tuple[str, str]]:
    """Answers that look alike and are others."""
    text = bare(gold)
    if "where" in text:
        return
    yield from of_value(text)
    digits = [m.start() for m in re.finditer(r"\d", text)]
    for at in rng.sample(digits, min(3, len(digits))):
        other = rng.choice([d for d in "123456789" if d != text[at]])
        yield "one digit", text[:at] + other + text[at + 1 :]
    found = FRACTION.search(text)
    if found and int(found[1]) and abs(int(found[1])) != int(found[2]):
        yield "inverted fraction", rf"{text[: found.start()]}\frac{{{found[2]}}}{{{found[1]}}}{text[found.end() :]}"
    if factor := re.fullmatch(rf"(-?)(\d+|\\frac\{{\d+\}}\{{\d+\}})\s*((?:{TERM}).*)", text):
        if factor[2] != "1":
            yield "lost factor", factor[1] + factor[3]
        if re.fullmatch(TERM, factor[3].strip()):
            yield "lost factor", factor[1] + factor[2]
    yield from of_other_brackets(text)


def of_value(text: str) -> Iterator[tuple[str, str]]:
    """The first member with another sign, and one more and less."""
    members = top_level(text) if number(text) is None else [text]
    rest = "".join("," + member for member in members[1:])
    label, equals, body = members[0].rpartition("=")
    plain = re.sub(r"(?<=\d),(?=\d{3}(\D|$))", "", body).strip()
    if len(members) > 1:
        yield "lost member", ",".join(members[:-1])
    if plain.startswith(("(", "[")) or r"\geqslant" in plain:
        return
    if "%" in plain:
        yield from (("plus one", plain.replace("%", "1%")), ("minus one", "1" + plain))
        return
    if plain != "0":
        literal = re.fullmatch(r"-[\d.]+(e-?\d+)?", plain)
        yield "sign", label + equals + (plain[1:] if literal else f"-({plain})") + rest
    yield "plus one", f"{label}{equals}{plain}+1{rest}"
    yield "minus one", f"{label}{equals}{plain}-1{rest}"


def of_other_brackets(text: str) -> Iterator[tuple[str, str]]:
    if re.match(r"\(.*\)$", text) and "," in text and "^" not in text:
        yield "bracket type", text.replace("(", "[").replace(")", "]")
        yield "bracket type", "[" + text[1:]
    if re.match(r"\[.*\]$", text) and "," in text:
        yield "bracket type", text.replace("[", "(").replace("]", ")")
    pair = re.fullmatch(r"\(([^(),]+),([^(),]+)\)", text)
    if pair and pair[1].strip() != pair[2].strip():
        yield "swapped", f"({pair[2]},{pair[1]})"


@pytest.fixture(scope="module")
def folder() -> Path:
    return data("benchmarks")


@pytest.mark.parametrize("name", SETS)
def test_gold_answers_equal_their_variants_and_differ_from_their_mutations(name: str, folder: Path) -> None:
    counts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    misses = []
    rng = random.Random(name)
    with GradingPool() as pool:
        for gold in golds(name, folder):
            for what, expected, texts in (("equal", True, variants(gold)), ("different", False, mutations(gold, rng))):
                for kind, text in texts:
                    right = pool.equal(gold, text) is expected is pool.equal(text, gold)
                    counts[what, kind][0] += right
                    counts[what, kind][1] += 1
                    if not right:
                        misses.append(f"{what:9} {kind:18} {gold}   |   {text}")
        assert pool.timeouts == 0
    print(f"\n{name}")
    for (what, kind), (right, total) in sorted(counts.items()):
        print(f"  {what:9} {kind:18} {right:6} of {total:6}  {100 * right / total:6.2f} %")
    print("\n".join(misses))
    for what in ("equal", "different"):
        right, total = (sum(c[i] for (w, _), c in counts.items() if w == what) for i in (0, 1))
        print(f"  {what:9} {'all':18} {right:6} of {total:6}  {100 * right / total:6.2f} %")
        assert right >= 0.995 * total
