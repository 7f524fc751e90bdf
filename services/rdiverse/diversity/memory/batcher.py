"""Work that comes while the same is under way waits, and is then done in one go: many cost little more than few."""

import asyncio
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

W = TypeVar("W")
R = TypeVar("R")


@dataclass(frozen=True)
class _Asked(Generic[W, R]):
    kind: Hashable
    wanted: W
    weight: int
    end: float
    answer: "asyncio.Future[R]"


class Batcher(Generic[W, R]):
    """To be used inside one event loop.

    `work(all that is wanted, seconds)` runs in `pool` and gives one result for each; `at_once` of these run at the same
    time, none with more than `most` in weight unless one alone has more. What was asked for is begun only after it was
    asked for, so that a read sees every write before it.
    """

    def __init__(
        self, work: Callable[[Sequence[W], float], Sequence[R]], pool: ThreadPoolExecutor, at_once: int, most: int
    ) -> None:
        self._work = work
        self._pool = pool
        self._at_once = at_once
        self._most = most
        self._waiting: list[_Asked[W, R]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, kind: Hashable, wanted: W, seconds: float, weight: int = 1) -> R:
        """The result, made together with what else is asked for of this kind. Raises what the work raises, or TimeoutError."""
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Asked(kind, wanted, weight, time.monotonic() + seconds, answer))
        self._start()
        async with asyncio.timeout(seconds):
            return await answer

    def _start(self) -> None:
        while len(self._tasks) < self._at_once and self._waiting:
            task = asyncio.get_running_loop().create_task(self._run(self._take()))
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._start()

    def _take(self) -> list[_Asked[W, R]]:
        """What has waited longest, and all that can go with it. Callers who left meanwhile are left out."""
        taken: list[_Asked[W, R]] = []
        kept: list[_Asked[W, R]] = []
        weight = 0
        for asked in self._waiting:
            if asked.answer.done():
                continue
            if not taken or (asked.kind == taken[0].kind and weight + asked.weight <= self._most):
                taken.append(asked)
                weight += asked.weight
            else:
                kept.append(asked)
        self._waiting = kept
        return taken

    async def _run(self, taken: list[_Asked[W, R]]) -> None:
        if not taken:
            return
        seconds = max(0.001, max(asked.end for asked in taken) - time.monotonic())
        loop = asyncio.get_running_loop()
        try:
            results = await loop.run_in_executor(self._pool, self._work, [asked.wanted for asked in taken], seconds)
        except Exception as error:  # noqa: BLE001  each caller gets it
            for asked in taken:
                if not asked.answer.done():
                    asked.answer.set_exception(error)
            return
        for asked, result in zip(taken, results, strict=True):
            if not asked.answer.done():
                asked.answer.set_result(result)
            # One by one: all callers going on at once would hold up whoever asks for health.
            await asyncio.sleep(0)
