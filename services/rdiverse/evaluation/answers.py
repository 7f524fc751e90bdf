"""What is asked of a Solver, in which portions, and what it answered."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from rdiverse.config import SamplingConfig
from rdiverse.evaluation.items import Benchmark, BenchmarkItem
from rdiverse.selfplay.seeds import derive_seed

PORTION_ROWS = 1024
"""Answers that one call asks for: enough to keep an engine's batches full, few enough to lose when the process is killed."""


class Pass(StrEnum):
    """Every question is asked once for each."""

    SAMPLED = "sampled"
    GREEDY = "greedy"


@dataclass(frozen=True)
class Response:
    """One completion."""

    answer: str | None
    """The last balanced box, as written; None without one."""
    text: str
    """The whole completion."""
    finish_reason: str
    """stop, or length at the token limit."""
    tokens: int
    """Tokens drawn."""


def by_benchmark(
    benchmarks: Sequence[Benchmark], responses: Sequence[Sequence[Response]]
) -> Iterator[tuple[Benchmark, Sequence[Sequence[Response]]]]:
    """Each benchmark with the responses to its items; `responses` holds a list for each item of all benchmarks, in order."""
    start = 0
    for benchmark in benchmarks:
        yield benchmark, responses[start : start + len(benchmark.items)]
        start += len(benchmark.items)


@dataclass(frozen=True)
class Portion:
    """Questions that are asked in one call."""

    kind: Pass
    number: int
    start: int
    """Position of the first question among those of all benchmarks."""
    stop: int


@dataclass(frozen=True)
class EvaluationPlan:
    """Everything that decides what is asked. The same plan of the same weights gets the same answers again."""

    benchmarks: tuple[Benchmark, ...]
    samples: int
    sampling: SamplingConfig
    greedy: bool
    seed: int | None
    weights: str
    """Version that must answer; empty: any."""
    portion_rows: int = PORTION_ROWS

    @property
    def items(self) -> list[BenchmarkItem]:
        """All questions, benchmark by benchmark."""
        return [item for benchmark in self.benchmarks for item in benchmark.items]

    def answers_of(self, kind: Pass) -> int:
        """Answers to each question in a pass."""
        return self.samples if kind is Pass.SAMPLED else 1

    def sampling_of(self, kind: Pass) -> SamplingConfig:
        """How a pass is drawn."""
        if kind is Pass.SAMPLED:
            return self.sampling
        return self.sampling.model_copy(update={"temperature": 0.0, "top_p": 1.0, "top_k": 0})

    def seed_of(self, portion: Portion) -> int | None:
        """A seed for each portion, so that it can be asked again alone."""
        return None if self.seed is None else derive_seed(self.seed, portion.kind, portion.number)

    def portions(self) -> list[Portion]:
        """All calls, in the order in which they are made."""
        count = sum(len(benchmark.items) for benchmark in self.benchmarks)
        found = []
        for kind in [Pass.SAMPLED, *([Pass.GREEDY] if self.greedy else [])]:
            size = max(1, self.portion_rows // self.answers_of(kind))
            starts = range(0, count, size)
            found += [Portion(kind, number, start, min(start + size, count)) for number, start in enumerate(starts)]
        return found
