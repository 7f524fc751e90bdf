"""Searches of calls that run at the same time go to Milvus together: many queries cost little more than few."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rdiverse.diversity import metrics
from rdiverse.diversity.memory.ledger import Ledger
from rdiverse.diversity.memory.protocol import Memory, Nearest

AT_ONCE = 2
"""Searches under way at once; what comes meanwhile waits and goes together."""
_MOST_QUERIES = 2048


@dataclass(frozen=True)
class _Wanted:
    ledger: Ledger
    before: int
    queries: NDArray[np.float32]
    count: int
    end: float
    answer: "asyncio.Future[Nearest]"

    @property
    def together(self) -> tuple[str, int, int, int]:
        """Searches that agree in this are one."""
        return self.ledger.run, self.ledger.revision, self.before, self.count


class Searches:
    """To be used inside one event loop."""

    def __init__(self, memory: Memory, pool: ThreadPoolExecutor) -> None:
        self._memory = memory
        self._pool = pool
        self._waiting: list[_Wanted] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def nearest(self, ledger: Ledger, before: int, queries: NDArray[np.float32], count: int, seconds: float) -> Nearest:
        """See Memory.nearest."""
        answer: asyncio.Future[Nearest] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Wanted(ledger, before, queries, count, time.monotonic() + seconds, answer))
        self._start()
        return await answer

    def _start(self) -> None:
        while len(self._tasks) < AT_ONCE and self._waiting:
            task = asyncio.get_running_loop().create_task(self._search(self._take()))
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._start()

    def _take(self) -> list[_Wanted]:
        """The search that has waited longest, and all that can go with it."""
        first, *others = self._waiting
        taken, size = [first], len(first.queries)
        self._waiting = []
        for other in others:
            if other.together == first.together and size + len(other.queries) <= _MOST_QUERIES:
                taken.append(other)
                size += len(other.queries)
            else:
                self._waiting.append(other)
        return taken

    async def _search(self, taken: list[_Wanted]) -> None:
        # Callers who left meanwhile are left out.
        taken = [wanted for wanted in taken if not wanted.answer.done()]
        if not taken:
            return
        first = taken[0]
        seconds = max(0.001, max(wanted.end for wanted in taken) - time.monotonic())
        queries = np.concatenate([wanted.queries for wanted in taken])
        try:
            with metrics.SEARCH_SECONDS.time():
                found = await asyncio.get_running_loop().run_in_executor(
                    self._pool, self._memory.nearest, first.ledger, first.before, queries, first.count, seconds
                )
        except Exception as error:  # noqa: BLE001  each caller gets it
            failure = error
            await _settle(taken, lambda wanted: wanted.answer.set_exception(failure))
            return
        starts = np.cumsum([0] + [len(wanted.queries) for wanted in taken])
        parts = {
            id(wanted): Nearest(found.similarities[start:end], found.keys[start:end])
            for wanted, start, end in zip(taken, starts, starts[1:], strict=False)
        }
        await _settle(taken, lambda wanted: wanted.answer.set_result(parts[id(wanted)]))


async def _settle(taken: list[_Wanted], settle: Callable[[_Wanted], None]) -> None:
    """Give the answers out one by one: all callers going on at once would hold up whoever asks for health."""
    for wanted in taken:
        if not wanted.answer.done():
            settle(wanted)
        await asyncio.sleep(0)
