"""What other ways of scoring make of the same responses: a table beside the strict figures."""

from collections.abc import Sequence
from dataclasses import dataclass

from rdiverse.evaluation.answers import Answer
from rdiverse.evaluation.figures import Graded, ScorerFigures
from rdiverse.evaluation.items import Benchmark, Item
from rdiverse.evaluation.judge import Judge, Pair
from rdiverse.evaluation.rzero import RZeroScorer


@dataclass(frozen=True)
class Scorers:
    """Which of them are asked."""

    rzero: RZeroScorer | None = None
    judge: Judge | None = None

    def table(
        self, benchmarks: Sequence[Benchmark], answers: Sequence[Sequence[Answer]], strict: Sequence[Graded]
    ) -> tuple[ScorerFigures, ...]:
        """Score one pass again: a row a benchmark, in counts of responses."""
        rows = []
        start = 0
        for benchmark, graded in zip(benchmarks, strict, strict=True):
            own = answers[start : start + len(benchmark.items)]
            start += len(benchmark.items)
            responses = [(item, answer) for item, given in zip(benchmark.items, own, strict=True) for answer in given]
            rows.append(self._row(benchmark.name, responses, [bool(right) for right in graded.right.ravel()]))
        return tuple(rows)

    def _row(self, name: str, responses: list[tuple[Item, Answer]], strict: list[bool]) -> ScorerFigures:
        compat = [self.rzero(item, answer) for item, answer in responses] if self.rzero else None
        both = one = None
        second = None
        if self.judge:
            boxed = [Pair(item.question, item.answer, answer.answer) for item, answer in responses if answer.answer is not None]
            opinions = self.judge.opinions(boxed)
            both = sum(opinion.same for opinion in opinions)
            one = sum(opinion.forward is not opinion.backward for opinion in opinions)
        if self.judge and compat is not None:
            failed = [(item.answer, answer.text) for (item, answer), right in zip(responses, compat, strict=True) if not right]
            second = sum(compat) + sum(self.judge.rzero(failed))
        return ScorerFigures(
            benchmark=name,
            responses=len(responses),
            strict=sum(strict),
            r_zero=sum(compat) if compat is not None else None,
            r_zero_alone=sum(a and not b for a, b in zip(compat, strict, strict=True)) if compat is not None else None,
            strict_alone=sum(b and not a for a, b in zip(compat, strict, strict=True)) if compat is not None else None,
            judge=both,
            judge_undecided=one,
            r_zero_with_judge=second,
        )
