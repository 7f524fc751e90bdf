"""Asks a Solver for the portions that are not there yet."""

from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Protocol

from rdiverse.evaluation.answers import Answer, Plan, Portion, Solver
from rdiverse.evaluation.store import Answered, Store

IN_FLIGHT = 3
"""Calls under way: the engine has the next portion while the last answers of one are drawn and its answers are stored."""


class WrongWeightsError(RuntimeError):
    """Other weights answered than before; the text names both."""


class Progress(Protocol):
    """Told after every portion."""

    def __call__(self, done: int, total: int) -> None:
        """`done` of `total` answers are there."""


def ask(plan: Plan, solver: Solver, store: Store, progress: Progress | None = None) -> None:
    """Ask every portion that `store` does not hold, a few at a time, and hand each to it whole.

    Raises WrongWeightsError when the model changes on the way, and whatever the client raises; what was stored stays.
    """
    portions = plan.portions()
    missing = [portion for portion in portions if not store.has(portion)]
    total = sum(_rows(plan, portion) for portion in portions)
    done = total - sum(_rows(plan, portion) for portion in missing)
    questions = [item.question for item in plan.items]

    def call(portion: Portion) -> Answered:
        solved = solver.solve(
            questions[portion.start : portion.stop],
            plan.answers_of(portion.kind),
            seed=plan.seed_of(portion),
            sampling=plan.sampling_of(portion.kind),
            expected_weights=plan.weights,
            return_samples=True,
        )
        weights = solved[0].weights
        for each in solved:
            _check_same(weights, each.weights)
        answers = [[Answer(s.answer, s.text, s.finish_reason, s.completion_tokens) for s in each.samples] for each in solved]
        return Answered(answers, weights)

    if progress:
        progress(done, total)
    with ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="evaluate") as pool:
        asked = {pool.submit(call, portion): portion for portion in missing}
        try:
            for future in as_completed(list(asked)):
                portion = asked.pop(future)
                answered = future.result()
                _check_same(store.weights or answered.weights, answered.weights)
                store.add(portion, answered)
                done += _rows(plan, portion)
                if progress:
                    progress(done, total)
        finally:
            for future in asked:
                future.cancel()


def _check_same(before: str, now: str) -> None:
    if before != now:
        raise WrongWeightsError(f"the Solver's weights changed from {before} to {now} during the evaluation")


def _rows(plan: Plan, portion: Portion) -> int:
    return (portion.stop - portion.start) * plan.answers_of(portion.kind)
