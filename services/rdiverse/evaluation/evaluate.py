"""Asks a Solver every question of the benchmarks and grades what it boxed."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from rdiverse.config import SamplingConfig
from rdiverse.evaluation.benchmarks import Benchmark, Item
from rdiverse.evaluation.figures import Evaluation, Graded, sum_up


class Sample(Protocol):
    """One answer, as a Solver's client gives it."""

    @property
    def answer(self) -> str | None:
        """The last balanced box, as written."""

    @property
    def finish_reason(self) -> str:
        """`length` at the token limit."""

    @property
    def completion_tokens(self) -> int:
        """Tokens drawn."""


class Solved(Protocol):
    """The samples of one question."""

    @property
    def samples(self) -> Sequence[Sample]:
        """In the order drawn."""

    @property
    def weights(self) -> str:
        """Version of the weights that answered."""


class Solver(Protocol):
    """A Solver behind an address (`rdiverse.inference.client.SolverClient`)."""

    def solve(
        self,
        questions: Sequence[str],
        samples: int,
        seed: int | None,
        sampling: SamplingConfig,
        expected_weights: str,
        return_samples: bool = ...,
    ) -> Sequence[Solved]:
        """Answer each question `samples` times."""


class Grader(Protocol):
    """Says whether two answers are equal (`rdiverse.grading.pool.GradingPool`)."""

    timeouts: int

    def equal(self, a: str, b: str) -> bool:
        """Whether they mean the same; a comparison that takes too long says no and is counted."""


def evaluate(
    benchmarks: Sequence[Benchmark],
    solver: Solver,
    *,
    samples: int,
    sampling: SamplingConfig,
    greedy: bool,
    seed: int | None,
    expected_weights: str,
    grader: Grader,
) -> Evaluation:
    """Measure a served model: `samples` answers a question drawn by `sampling`, and one greedy answer if `greedy`.

    Extraction is strict: an answer is the last balanced box of the completion, no box is a wrong answer, and nothing is
    guessed. All benchmarks go out in one call a pass, so that the engine's batches stay full. Raises ValueError without
    a benchmark, and whatever the client raises.
    """
    if not benchmarks:
        raise ValueError("evaluation needs at least one benchmark (evaluation.benchmarks)")
    sets = list(benchmarks)
    items = [item for benchmark in sets for item in benchmark.items]
    questions = [item.question for item in items]
    timeouts = grader.timeouts
    drawn = solver.solve(questions, samples, seed, sampling, expected_weights, return_samples=True)
    best: Sequence[Solved] | None = None
    if greedy:
        at_zero = sampling.model_copy(update={"temperature": 0.0, "top_p": 1.0, "top_k": 0})
        best = solver.solve(questions, 1, None, at_zero, expected_weights, return_samples=True)
    return sum_up(
        sets,
        _grade(sets, items, drawn, grader),
        None if best is None else _grade(sets, items, best, grader),
        weights=drawn[0].weights,
        sampling=sampling.model_dump(),
        seed=seed,
        grader_timeouts=grader.timeouts - timeouts,
    )


def _grade(benchmarks: Sequence[Benchmark], items: Sequence[Item], solved: Sequence[Solved], grader: Grader) -> list[Graded]:
    """Grade one pass and cut it back into benchmarks."""
    right = np.array([_verdicts(item, answers, grader) for item, answers in zip(items, solved, strict=True)], dtype=np.bool_)
    graded = []
    start = 0
    for benchmark in benchmarks:
        end = start + len(benchmark.items)
        drawn = [sample for answers in solved[start:end] for sample in answers.samples]
        graded.append(
            Graded(
                right=right[start:end],
                unboxed=sum(sample.answer is None for sample in drawn),
                cut=sum(sample.finish_reason == "length" for sample in drawn),
                tokens=sum(sample.completion_tokens for sample in drawn),
            )
        )
        start = end
    return graded


def _verdicts(item: Item, solved: Solved, grader: Grader) -> list[bool]:
    """Whether each sample is right; an answer that was given several times is compared once."""
    answers = [sample.answer for sample in solved.samples]
    known = {answer: grader.equal(item.answer, answer) for answer in dict.fromkeys(answers) if answer is not None}
    return [answer is not None and known[answer] for answer in answers]
