"""Votes, cast in a thread beside the event loop: a symbolic comparison may take seconds."""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol

from rdiverse.selfplay.parsing import last_boxed
from rdiverse.selfplay.voting import Vote, vote

_TURN_SECONDS = 0.05
"""Votes that take longer together are given in parts."""


class Equality(Protocol):
    """Says whether two answers are equal (rdiverse.grading.pool.GradingPool)."""

    @property
    def timeouts(self) -> int:
        """Pairs so far whose comparison timed out."""

    def equal(self, a: str, b: str) -> bool:
        """Whether two answers are equal."""


class Verdict(NamedTuple):
    """A vote and what it was made from."""

    vote: Vote
    answer: str | None
    """The majority answer in its normal form."""
    answers: tuple[str | None, ...]
    """The boxed answer of each sample."""
    timeouts: int
    """Comparisons in this vote that timed out."""


class Judge:
    """Casts one vote at a time, several in a turn: every change of threads is felt by the engine beside it."""

    def __init__(self, equality: Equality) -> None:
        self._equality = equality
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="judge")

    async def votes(self, problems: Sequence[Sequence[str]], *, drop_unboxed: bool) -> list[Verdict]:
        """Vote on the last balanced boxes of each problem's completions (METHOD, "Voting and answers").

        Gives the verdicts of the first problems: one at least, and no more once a moment has passed.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._votes, problems, drop_unboxed)

    def close(self) -> None:
        """Stop after the present vote."""
        self._thread.shutdown(cancel_futures=True)

    def _votes(self, problems: Sequence[Sequence[str]], drop_unboxed: bool) -> list[Verdict]:
        end = time.monotonic() + _TURN_SECONDS
        verdicts: list[Verdict] = []
        for texts in problems:
            verdicts.append(self._vote(texts, drop_unboxed))
            if time.monotonic() > end:
                break
        return verdicts

    def _vote(self, texts: Sequence[str], drop_unboxed: bool) -> Verdict:
        from rdiverse.grading.normal import normal_form

        before = self._equality.timeouts
        answers = tuple(last_boxed(text) for text in texts)
        outcome = vote(answers, self._equality.equal, drop_unboxed)
        answer = None if outcome.answer is None else normal_form(outcome.answer)
        return Verdict(outcome, answer, answers, self._equality.timeouts - before)
