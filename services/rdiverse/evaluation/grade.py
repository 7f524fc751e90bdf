"""The strict score: what stands in the last box is right, or the answer is wrong. Nothing is guessed, nobody is asked."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Protocol

import numpy as np

from rdiverse.evaluation.answers import Answer
from rdiverse.evaluation.choice import read_choice
from rdiverse.evaluation.figures import Graded
from rdiverse.evaluation.items import Benchmark, Item, Kind
from rdiverse.evaluation.wording import same_wording

Verdict = Callable[[Item, Answer], bool]
"""Whether an answer to an item is right."""


class Grader(Protocol):
    """Says whether two mathematical answers are equal: `rdiverse.grading.pool.GradingPool`."""

    @property
    def timeouts(self) -> int:
        """Comparisons that took too long; they say no."""

    def equal(self, a: str, b: str) -> bool:
        """Whether the answers mean the same."""


def strict(grader: Grader) -> Verdict:
    """The project's own scorer. An answer that is given often is compared once."""
    equal = lru_cache(65_536)(grader.equal)

    def right(item: Item, answer: Answer) -> bool:
        if answer.answer is None:
            return False
        if item.kind is Kind.CHOICE:
            return read_choice(answer.answer, item.options) == item.answer
        if item.kind is Kind.TEXT:
            return same_wording(item.answer, answer.answer)
        return equal(item.answer, answer.answer)

    return right


def grade(benchmarks: Sequence[Benchmark], answers: Sequence[Sequence[Answer]], verdict: Verdict) -> list[Graded]:
    """Grade one pass, benchmark by benchmark; `answers` holds those of all benchmarks' items, in order."""
    graded = []
    start = 0
    for benchmark in benchmarks:
        own = answers[start : start + len(benchmark.items)]
        start += len(benchmark.items)
        rows = [[verdict(item, answer) for answer in given] for item, given in zip(benchmark.items, own, strict=True)]
        drawn = [answer for given in own for answer in given]
        graded.append(
            Graded(
                right=np.array(rows, dtype=np.bool_),
                unboxed=sum(answer.answer is None for answer in drawn),
                cut=sum(answer.finish_reason == "length" for answer in drawn),
                tokens=sum(answer.tokens for answer in drawn),
            )
        )
    return graded
