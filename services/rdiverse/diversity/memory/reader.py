"""The memory as calls read it: from threads, and together where calls that run at the same time want the same."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from rdiverse.diversity import metrics
from rdiverse.diversity.memory.batcher import Batcher
from rdiverse.diversity.memory.ledger import Ledger, Record, StaleRevisionError, UnknownRunError
from rdiverse.diversity.memory.protocol import Key, Memory, MemorySimilarities, MemoryUnavailableError, Nearest
from rdiverse.diversity.memory.replay import draw

_THREADS = 8
_SEARCHES_AT_ONCE = 2
_MOST_QUERIES = 2048
_LEDGERS_AT_ONCE = 4
_MOST_CALLERS = 1024
"""Of one reading of a ledger."""

T = TypeVar("T")
_Search = tuple[Ledger, int, int, Sequence[NDArray[np.float32]]]


class MemoryReader:
    """To be used inside one event loop. Every call is bounded by `seconds`, past which MemoryUnavailableError is raised."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._pool = ThreadPoolExecutor(_THREADS, "memory")
        self._ledgers = Batcher(self._read_ledger, self._pool, _LEDGERS_AT_ONCE, _MOST_CALLERS)
        self._searches = Batcher(self._search, self._pool, _SEARCHES_AT_ONCE, _MOST_QUERIES)

    async def ledger(self, run: str, seconds: float, min_revision: int = 0) -> Ledger | None:
        """The run's ledger, None when it has no memory (any more). Raises StaleRevisionError below `min_revision`."""
        found = await _in_time(self._ledgers.ask(run, run, seconds))
        revision = found.revision if found else 0
        if revision < min_revision:
            raise StaleRevisionError(f"run {run} is at revision {revision}, not yet at {min_revision}")
        return None if found is None or found.deleted else found

    async def existing(self, run: str, seconds: float, min_revision: int = 0) -> Ledger:
        """As `ledger`. Raises UnknownRunError when the run has no memory."""
        found = await self.ledger(run, seconds, min_revision)
        if found is None:
            raise UnknownRunError(run)
        return found

    async def ledgers(self, seconds: float) -> list[Ledger]:
        """See Memory.ledgers."""
        return await self._within(seconds, self._memory.ledgers)

    async def similarities(
        self, ledger: Ledger, before: int, vectors: Sequence[NDArray[np.float32]], count: int, seconds: float
    ) -> MemorySimilarities:
        """The `count` nearest items of iterations < `before` to each unit vector (dimension,), and what S_mean is made from."""
        search = (ledger, before, count, vectors)
        kind = (ledger.run, ledger.revision, before, count)
        return await _in_time(self._searches.ask(kind, search, seconds, weight=len(vectors)))

    async def records(self, ledger: Ledger, keys: Sequence[Key], seconds: float) -> list[Record]:
        """See Memory.records."""
        return await self._within(seconds, self._memory.records, ledger, keys) if keys else []

    async def draw_replay(self, ledger: Ledger, before: int, count: int, seed: int) -> list[Key]:
        """See replay.draw."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, draw, ledger.before(before), count, seed)

    def _read_ledger(self, runs: Sequence[str], seconds: float) -> list[Ledger | None]:
        return [self._memory.ledger(runs[0], seconds)] * len(runs)

    def _search(self, searches: Sequence[_Search], seconds: float) -> list[MemorySimilarities]:
        end = time.monotonic() + seconds
        ledger, before, count, _ = searches[0]
        vectors = [vector for search in searches for vector in search[3]]
        queries = np.stack(vectors) if vectors else np.zeros((0, ledger.dimension), dtype=np.float32)
        with metrics.SEARCH_SECONDS.time():
            found = self._memory.nearest(ledger, before, queries, count, seconds)
        total, items = self._memory.total(ledger, before, max(0.001, end - time.monotonic()))
        starts = np.cumsum([0] + [len(search[3]) for search in searches]).tolist()
        return [
            MemorySimilarities(Nearest(found.similarities[first:last], found.keys[first:last]), total, items)
            for first, last in pairwise(starts)
        ]

    async def _within(self, seconds: float, call: Callable[..., T], *arguments: Any) -> T:
        return await in_pool(self._pool, seconds, call, *arguments)


async def in_pool(pool: ThreadPoolExecutor, seconds: float, call: Callable[..., T], *arguments: Any) -> T:
    """`call(*arguments, seconds left)` in a thread of the pool; the time it waits for one counts too."""
    end = time.monotonic() + seconds
    return await asyncio.get_running_loop().run_in_executor(pool, lambda: call(*arguments, max(0.001, end - time.monotonic())))


async def _in_time(asked: Awaitable[T]) -> T:
    try:
        return await asked
    except TimeoutError as error:
        raise MemoryUnavailableError("no answer in time") from error
