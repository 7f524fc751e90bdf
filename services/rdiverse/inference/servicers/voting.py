"""Votes, counted in a thread beside the event loop: a symbolic comparison may take seconds."""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from rdiverse.grading.normal import normal_form
from rdiverse.grading.pool import GradingPool
from rdiverse.selfplay.parsing import last_boxed
from rdiverse.selfplay.voting import Vote, vote

_TURN_SECONDS = 0.05
"""Votes that take longer together are given in parts."""


class CountedVote(NamedTuple):
    """A vote and what it was made from."""

    vote: Vote
    answer: str | None
    """The majority answer in its normal form."""
    answers: tuple[str | None, ...]
    """The boxed answer of each sample."""
    timeouts: int
    """Comparisons in this vote that a time-out decided."""


class VoteCounter:
    """Counts one vote at a time, several in a turn: every change of threads is felt by the engine beside it."""

    def __init__(self, pool: GradingPool) -> None:
        self._pool = pool
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="votes")

    async def count(self, problems: Sequence[Sequence[str]], *, drop_unboxed: bool) -> list[CountedVote]:
        """Vote on the last balanced boxes of each problem's completions (docs/method.md, "Voting and answers").

        Gives the votes of the first problems: one at least, and no more once a moment has passed.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._count, problems, drop_unboxed)

    def close(self) -> None:
        """Stop after the present vote."""
        self._thread.shutdown(cancel_futures=True)

    def _count(self, problems: Sequence[Sequence[str]], drop_unboxed: bool) -> list[CountedVote]:
        end = time.monotonic() + _TURN_SECONDS
        counted: list[CountedVote] = []
        for texts in problems:
            counted.append(self._vote(texts, drop_unboxed))
            if time.monotonic() > end:
                break
        return counted

    def _vote(self, texts: Sequence[str], drop_unboxed: bool) -> CountedVote:
        before = self._pool.timeouts
        answers = tuple(last_boxed(text) for text in texts)
        outcome = vote(answers, self._pool.classes, drop_unboxed)
        answer = None if outcome.answer is None else normal_form(outcome.answer)
        return CountedVote(outcome, answer, answers, self._pool.timeouts - before)
