"""Asks a Solver for the portions that are not there yet."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed

from rdiverse.evaluation.answers import EvaluationPlan, Portion, Response
from rdiverse.evaluation.store import AnsweredPortion, AnswerStore
from rdiverse.inference.client import Solved, SolverClient

IN_FLIGHT = 2
"""Calls under way: the engine has the next portion while the last answers of one are drawn and stored. A third would only
delay the first one's questions on their way."""
ReportProgress = Callable[[int, int], None]
"""Told how many answers are there, and of how many, whenever a question is answered; from one thread at a time."""


class WeightsChangedError(RuntimeError):
    """Other weights answered than before; the text names both."""


class IncompleteError(RuntimeError):
    """A Solver ended a call without having answered every question as often as it was asked."""


def ask(plan: EvaluationPlan, solver: SolverClient, store: AnswerStore, progress: ReportProgress | None = None) -> None:
    """Ask every portion that `store` does not hold, a few at a time, and hand each to it whole.

    Raises WeightsChangedError when the model changes on the way, IncompleteError, and whatever the client raises; what was
    stored stays.
    """
    portions = plan.portions()
    missing = [portion for portion in portions if not store.has(portion)]
    count = _Count(sum(_rows(plan, portion) for portion in portions), progress)
    count.add(count.total - sum(_rows(plan, portion) for portion in missing))
    questions = [item.question for item in plan.items]

    def call(portion: Portion) -> AnsweredPortion:
        samples = plan.answers_of(portion.kind)
        found: dict[int, Solved] = {}
        for solved in solver.iter_solve(
            questions[portion.start : portion.stop],
            samples,
            seed=plan.seed_of(portion),
            sampling=plan.sampling_of(portion.kind),
            expected_weights=plan.weights,
            return_samples=True,
        ):
            if len(solved.samples) != samples:
                raise IncompleteError(f"the Solver gave {len(solved.samples)} of {samples} answers to a question")
            found[solved.index] = solved
            count.add(samples)
        if len(found) != portion.stop - portion.start:
            raise IncompleteError(f"the Solver answered {len(found)} of {portion.stop - portion.start} questions")
        return _answered([found[index] for index in sorted(found)])

    with ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="evaluate") as pool:
        asked = {pool.submit(call, portion): portion for portion in missing}
        try:
            for future in as_completed(list(asked)):
                portion = asked.pop(future)
                answered = future.result()
                _check_same(store.weights or answered.weights, answered.weights)
                store.add(portion, answered)
        finally:
            for future in asked:
                future.cancel()


class _Count:
    """Counts answers, from several threads."""

    def __init__(self, total: int, progress: ReportProgress | None) -> None:
        self.total = total
        self._progress = progress
        self._done = 0
        self._lock = threading.Lock()

    def add(self, answers: int) -> None:
        with self._lock:
            self._done += answers
            if self._progress:
                self._progress(self._done, self.total)


def _answered(solved: list[Solved]) -> AnsweredPortion:
    for each in solved:
        _check_same(solved[0].weights, each.weights)
    answers = [[Response(s.answer, s.text, s.finish_reason, s.completion_tokens) for s in each.samples] for each in solved]
    return AnsweredPortion(answers, solved[0].weights)


def _check_same(before: str, now: str) -> None:
    if before != now:
        raise WeightsChangedError(f"the Solver's weights changed from {before} to {now} during the evaluation")


def _rows(plan: EvaluationPlan, portion: Portion) -> int:
    return (portion.stop - portion.start) * plan.answers_of(portion.kind)
