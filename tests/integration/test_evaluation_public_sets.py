"""The harness on the real public test sets, as their publishers give them (tests/testdata).

Whether two gold answers differ is decided here without the project's grader: by evaluating both as numbers with another
library, or with Python alone.
"""

import math
import random
import re

import pytest
from tests.support.testdata import data

from rdiverse.config import BenchmarkConfig
from rdiverse.evaluation import Benchmark, load_benchmark
from rdiverse.evaluation.answers import Response
from rdiverse.evaluation.grade import strict
from rdiverse.grading.pool import GradingPool

ROWS = {"gsm8k": 1319, "minerva_math": 272, "olympiadbench": 675, "amc23": 40, "aime24": 30}


@pytest.fixture(scope="module", params=sorted(ROWS))
def benchmark_set(request) -> Benchmark:
    return load_benchmark(BenchmarkConfig(name=request.param, path=str(data(f"benchmarks/{request.param}.jsonl"))))


@pytest.fixture(scope="module")
def pool():
    with GradingPool(workers=2) as pool:
        yield pool


def boxed(answer: str) -> Response:
    return Response(answer, f"\\boxed{{{answer}}}", "stop", 1)


def test_every_row_is_read(benchmark_set):
    assert len(benchmark_set.items) == ROWS[benchmark_set.name]
    assert all(item.question.strip() and item.answer.strip() for item in benchmark_set.items)


def test_gold_answers_are_what_their_publishers_say():
    first = {
        name: load_benchmark(BenchmarkConfig(name=name, path=str(data(f"benchmarks/{name}.jsonl")))).items[0].answer
        for name in ROWS
    }
    assert first == {"gsm8k": "18", "minerva_math": "1.6", "olympiadbench": "2", "amc23": "27", "aime24": "204"}


def test_every_gold_answer_equals_itself(benchmark_set, pool):
    right = strict(pool)
    assert [item.answer for item in benchmark_set.items if not right(item, boxed(item.answer))] == []


def test_every_gold_answer_equals_itself_in_other_clothes(benchmark_set, pool):
    """Dollar signs, and spaces around it, are not part of an answer."""
    right = strict(pool)
    wrong = [
        item.answer for item in benchmark_set.items if "$" not in item.answer and not right(item, boxed(f" ${item.answer}$ "))
    ]
    assert len(wrong) <= 0.01 * len(benchmark_set.items), wrong


def test_another_rows_gold_answer_is_wrong(benchmark_set, pool):
    """Of the pairs whose values differ, fewer than one in a hundred pass."""
    items = [(item, value) for item in benchmark_set.items if (value := number(item.answer)) is not None]
    pairs = [(a, b) for a, x in items for b, y in random.Random(0).sample(items, min(100, len(items))) if differ(x, y)]
    assert len(pairs) > 5 * len(items)
    right = strict(pool)
    passed = [(a.answer, b.answer) for a, b in pairs if right(a, boxed(b.answer))]
    assert len(passed) < 0.01 * len(pairs), passed


def test_near_misses_are_wrong(benchmark_set, pool):
    """A last digit that is off by one is another answer."""
    right = strict(pool)
    tried = [(item, off) for item in benchmark_set.items if (off := off_by_one(item.answer)) is not None]
    passed = [(item.answer, off) for item, off in tried if right(item, boxed(off))]
    assert len(tried) > 0.4 * len(benchmark_set.items)
    assert passed == []


def off_by_one(answer: str) -> str | None:
    found = re.fullmatch(r"\$?(-?[\d,]*\.?\d*?)(\d)\$?", answer)
    return f"{found.group(1)}{(int(found.group(2)) + 1) % 10}" if found else None


def differ(x: float, y: float) -> bool:
    return not math.isclose(x, y, rel_tol=1e-6, abs_tol=1e-12)


def number(answer: str) -> float | None:
    """The value of a gold answer that is one number; None for everything else."""
    text = answer.strip().strip("$").replace(",", "").strip()
    try:
        return float(text)
    except ValueError:
        pass
    for pattern, replacement in _PYTHON:
        text = re.sub(pattern, replacement, text)
    if not re.fullmatch(r"(?:[\d.+\-*/() ]|sqrt|pi)+", text):
        return None
    try:
        return float(eval(text, {"__builtins__": {}}, {"sqrt": math.sqrt, "pi": math.pi}))
    except (SyntaxError, TypeError, ZeroDivisionError, OverflowError, ValueError):
        return None


_PYTHON = (
    (r"\\left|\\right|\\,|\\!|\\;", ""),
    (r"\\d?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}", r"((\1)/(\2))"),
    (r"\\sqrt\s*\{([^{}]*)\}", r"sqrt(\1)"),
    (r"\\d?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}", r"((\1)/(\2))"),
    (r"\\cdot|\\times", "*"),
    (r"\\pi", "pi"),
    (r"(?<=[\d)])\s*(?=sqrt|pi|\()", "*"),
    (r"\^", "**"),
)
"""From the LaTeX of a plain number to Python; powers are left out by the check that follows."""
