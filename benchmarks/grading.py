"""What equality costs: ours against pairwise checks with a symbolic library, on the same answers in one run."""

import json
import random
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from typing import Any

import psutil
from benchmarks._graders import first_matches, limited, math_verify, mathruler
from tests.support.answers import Pair

from rdiverse.grading.pool import GradingPool
from rdiverse.selfplay.voting import vote

QUESTIONS = 512
SAMPLES = 10
SEED = 0
PAIRS = Path(__file__).parent / "grading_pairs.jsonl"
"""Pairs of answers, their kind and verdict: `tests.support.answers` made them, and a test holds the file to it."""
DISAGREED = Path(__file__).parent / "grading_disagreed.jsonl"


def measure() -> dict[str, Any]:
    """`grading_cpu_ratio`: CPU-seconds of math-verify, each answer read once, over ours, processes included.

    `mathruler_cpu_ratio` is that of R-Zero's votes by mathruler. Also the times, the rightness of all three (right, missed,
    falsely equal), the largest resident memory of our processes, the share of pairs on which math-verify and we agree,
    and the time of a vote on plain integers, which is what the local loop does.
    """
    questions = list(made_questions(random.Random(SEED)))  # noqa: S311
    ours, peak, mine = _ours(questions)
    library, theirs = _library(questions)
    agree = [a == b for a, b in zip(mine, theirs, strict=True)]
    ruler = _rule(questions)
    return {
        "rightness": _rightness(),
        "mathruler_cpu_ratio": ruler / ours,
        "mathruler_cpu_seconds": ruler,
        "grading_cpu_ratio": library / ours,
        "grading_cpu_seconds": ours,
        "library_cpu_seconds": library,
        "pool_peak_mib": peak / 2**20,
        "pair_agreement": statistics.mean(agree),
        "integer_vote_microseconds": _integer_vote_seconds() * 1e6,
        "questions": QUESTIONS,
        "samples": SAMPLES,
    }


def made_questions(rng: random.Random) -> Iterator[list[str]]:
    """Ten answers to each of 512 questions: about half right in several spellings, the rest wrong, some junk."""
    kinds = [_integers, _fractions, _surds, _intervals]
    for i in range(QUESTIONS):
        right = kinds[i % len(kinds)]
        answers = []
        value = rng.randrange(2, 400)
        for _ in range(SAMPLES):
            chance = rng.random()
            if chance < 0.5:
                answers.append(rng.choice(right(value)))
            elif chance < 0.85:
                answers.append(rng.choice(right(value + rng.randrange(1, 5))))
            else:
                answers.append(rng.choice(_junk(value)))
        yield answers


def _integers(n: int) -> list[str]:
    return [str(n), f"{n}.0", rf"{n}\text{{ cm}}", f"x = {n}", f"${n}$", f"{10 * n}/10", rf"\frac{{{10 * n}}}{{10}}"]


def _fractions(n: int) -> list[str]:
    value = Fraction(n, 24)
    top, bottom = value.numerator, value.denominator
    return [rf"\frac{{{top}}}{{{bottom}}}", rf"\dfrac{{{2 * top}}}{{{2 * bottom}}}", f"{top}/{bottom}", rf"\frac{{{n}}}{{24}}"]


def _surds(n: int) -> list[str]:
    return [
        rf"{n}\sqrt{{2}}",
        rf"\sqrt{{{2 * n * n}}}",
        rf"\frac{{{2 * n}}}{{\sqrt{{2}}}}",
        rf"{n}\cdot 2^{{1/2}}",
        # A cube root of a surd, 1 + sqrt 2: normal forms leave it to the check in a process.
        rf"{n}\sqrt[3]{{7+5\sqrt{{2}}}} - {n}",
    ]


def _intervals(n: int) -> list[str]:
    return [
        f"[{n}, {2 * n})",
        rf"\left[{n},{2 * n}\right)",
        rf"\left[\frac{{{2 * n}}}{{2}}, {2 * n}\right)",
        rf"{n} \le x < {2 * n}",
    ]


def _junk(n: int) -> list[str]:
    return [r"\text{no solution}", "I am not sure", f"{n} {n}", f"({n}", rf"\frac{{{n}}}", "", "??", f"about {n} or so", "yes"]


def _ours(questions: list[list[str]]) -> tuple[float, float, list[bool]]:
    """CPU-seconds of all votes, peak bytes of the pool's processes, and the decision on every pair."""
    before = _cpu_seconds()
    with GradingPool() as pool:
        for answers in questions:
            vote(answers, pool.classes)
        peak = sum(
            _peak_bytes(child.pid) for child in psutil.Process().children() if "rdiverse.grading.worker" in child.cmdline()
        )
    seconds = _cpu_seconds() - before
    with GradingPool() as pool:
        decisions = _decisions(questions, pool.equal)
    return seconds, peak, decisions


def _library(questions: list[list[str]]) -> tuple[float, list[bool]]:
    """CPU-seconds of math-verify on every pair of different answers in both directions, and its decisions."""
    start = time.process_time()
    decisions = []
    for answers in questions:
        decisions += _decisions([answers], math_verify())
    return time.process_time() - start, decisions


def _rule(questions: list[list[str]]) -> float:
    """CPU-seconds of R-Zero's votes by mathruler."""
    equal = mathruler()
    start = time.process_time()
    for answers in questions:
        first_matches(answers, equal)
    return time.process_time() - start


def _rightness() -> dict[str, list[int]]:
    """Grader -> right, missed and falsely equal pairs of the committed set.

    Prints them by kind, and writes down every pair on which the three disagree. What was decided by hand about a pair stays
    with it; pairs about which nothing was are printed.
    """
    found = [Pair(**json.loads(line)) for line in PAIRS.read_text("utf-8").splitlines()]
    with GradingPool() as pool:
        graders = {"math-verify": math_verify(), "mathruler": mathruler()}
        verdicts = [
            {"ours": pool.equal(pair.a, pair.b)} | {name: limited(equal, pair.a, pair.b) for name, equal in graders.items()}
            for pair in found
        ]
    counts: dict[str, dict[str, list[int]]] = {}
    for pair, said in zip(found, verdicts, strict=True):
        for name, equal in said.items():
            for kind in (pair.kind, "all"):
                row = counts.setdefault(kind, {}).setdefault(name, [0, 0, 0])
                row[0 if equal == pair.equal else 1 if pair.equal else 2] += 1
    print(f"{'':40}" + "".join(f"{name:>24}" for name in counts["all"]), file=sys.stderr)
    for kind, rows in counts.items():
        print(f"{kind:40}" + "".join(f"{'/'.join(map(str, rows[name])):>24}" for name in rows), file=sys.stderr)
    disagreed = [pair._asdict() | said for pair, said in zip(found, verdicts, strict=True) if len(set(said.values())) > 1]
    before = [json.loads(line) for line in DISAGREED.read_text("utf-8").splitlines()]
    decided = {(row["a"], row["b"]): row["decided"] for row in before if "decided" in row}
    for row in disagreed:
        key = row["a"], row["b"]
        if key in decided:
            row["decided"] = decided[key]
        else:
            print("to be decided", *key, sep="\t", file=sys.stderr)
    DISAGREED.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in disagreed), "utf-8")
    return counts["all"]


def _decisions(questions: list[list[str]], equal: Callable[[str, str], bool]) -> list[bool]:
    return [equal(a, b) for answers in questions for a, b in combinations(sorted(set(answers)), 2)]


def _integer_vote_seconds() -> float:
    rng = random.Random(SEED)  # noqa: S311
    questions = [[str(rng.randrange(50)) for _ in range(SAMPLES)] for _ in range(2000)]
    with GradingPool() as pool:
        start = time.process_time()
        for answers in questions:
            vote(answers, pool.classes)
        return (time.process_time() - start) / len(questions)


def _cpu_seconds() -> float:
    """Of this process and of the children that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def _peak_bytes(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0.0
