"""What other ways of scoring make of the same responses: a table beside the strict figures."""

from collections.abc import Sequence
from dataclasses import dataclass

from rdiverse.evaluation.answers import Response, by_benchmark
from rdiverse.evaluation.figures import Graded, ScorerFigures
from rdiverse.evaluation.items import Benchmark, BenchmarkItem
from rdiverse.evaluation.judge import Judge, Pair
from rdiverse.evaluation.rzero import RZeroScorer


@dataclass(frozen=True)
class Scorers:
    """Which of them are asked."""

    rzero: RZeroScorer | None = None
    judge: Judge | None = None

    def table(
        self, benchmarks: Sequence[Benchmark], responses: Sequence[Sequence[Response]], strict: Sequence[Graded]
    ) -> tuple[ScorerFigures, ...]:
        """Score one pass again: a row a benchmark, in counts of responses."""
        rows = []
        for (benchmark, own), graded in zip(by_benchmark(benchmarks, responses), strict, strict=True):
            given = [(item, response) for item, drawn in zip(benchmark.items, own, strict=True) for response in drawn]
            rows.append(self._row(benchmark.name, given, [bool(right) for right in graded.right.ravel()]))
        return tuple(rows)

    def _row(self, name: str, given: list[tuple[BenchmarkItem, Response]], strict: list[bool]) -> ScorerFigures:
        compat = [self.rzero(item, response) for item, response in given] if self.rzero else None
        same = undecided = with_judge = None
        if self.judge:
            boxed = [
                Pair(item.question, item.answer, response.answer) for item, response in given if response.answer is not None
            ]
            opinions = self.judge.opinions(boxed)
            same = sum(opinion.same for opinion in opinions)
            undecided = sum(opinion.forward is not opinion.backward for opinion in opinions)
        if self.judge and compat is not None:
            failed = [(item.answer, response.text) for (item, response), right in zip(given, compat, strict=True) if not right]
            with_judge = sum(compat) + sum(self.judge.rzero(failed))
        return ScorerFigures(
            benchmark=name,
            responses=len(given),
            strict=sum(strict),
            r_zero=sum(compat) if compat is not None else None,
            r_zero_alone=sum(a and not b for a, b in zip(compat, strict, strict=True)) if compat is not None else None,
            strict_alone=sum(b and not a for a, b in zip(compat, strict, strict=True)) if compat is not None else None,
            judge=same,
            judge_undecided=undecided,
            r_zero_with_judge=with_judge,
        )
