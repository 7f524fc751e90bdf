"""The strict score: what stands in the last box is right, or the answer is wrong. Nothing is guessed, nobody is asked."""

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from rdiverse.evaluation.answers import Response, by_benchmark
from rdiverse.evaluation.choice import read_choice
from rdiverse.evaluation.figures import Graded
from rdiverse.evaluation.items import Benchmark, BenchmarkItem, Kind
from rdiverse.evaluation.wording import same_wording
from rdiverse.grading.pool import GradingPool

Scorer = Callable[[BenchmarkItem, Response], bool]
"""Whether a response to an item is right."""


def strict(grader: GradingPool) -> Scorer:
    """The project's own scorer. An answer that is given often is compared once."""
    equal = lru_cache(65_536)(grader.equal)

    def right(item: BenchmarkItem, response: Response) -> bool:
        if response.answer is None:
            return False
        if item.kind is Kind.CHOICE:
            return read_choice(response.answer, item.options) == item.answer
        if item.kind is Kind.TEXT:
            return same_wording(item.answer, response.answer)
        return equal(item.answer, response.answer)

    return right


def grade(benchmarks: Sequence[Benchmark], responses: Sequence[Sequence[Response]], score: Scorer) -> list[Graded]:
    """Grade one pass, benchmark by benchmark; `responses` holds those to all benchmarks' items, in order."""
    graded = []
    for benchmark, own in by_benchmark(benchmarks, responses):
        rows = [[score(item, response) for response in given] for item, given in zip(benchmark.items, own, strict=True)]
        drawn = [response for given in own for response in given]
        graded.append(
            Graded(
                right=np.array(rows, dtype=np.bool_),
                unboxed=sum(response.answer is None for response in drawn),
                cut=sum(response.finish_reason == "length" for response in drawn),
                tokens=sum(response.tokens for response in drawn),
            )
        )
    return graded
