"""Requests that come while others of their kind are served are then served in one go: many cost little more than few."""

import asyncio
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

W = TypeVar("W")
R = TypeVar("R")


@dataclass(frozen=True)
class _Request(Generic[W, R]):
    kind: Hashable
    payload: W
    weight: int
    end: float
    answer: "asyncio.Future[R]"


class Batcher(Generic[W, R]):
    """To be used inside one event loop.

    `work(payloads, seconds)` runs in `pool` and gives one result for each; `concurrency` of these run at the same
    time, none with more than `max_weight` unless one alone has more. What was asked for is begun only after it was
    asked for, so that a read sees every write before it.
    """

    def __init__(
        self, work: Callable[[Sequence[W], float], Sequence[R]], pool: ThreadPoolExecutor, concurrency: int, max_weight: int
    ) -> None:
        self._work = work
        self._pool = pool
        self._concurrency = concurrency
        self._max_weight = max_weight
        self._waiting: list[_Request[W, R]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, kind: Hashable, payload: W, seconds: float, weight: int = 1) -> R:
        """The result, made together with what else is asked for of this kind. Raises what the work raises, or TimeoutError."""
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Request(kind, payload, weight, time.monotonic() + seconds, answer))
        self._start()
        async with asyncio.timeout(seconds):
            return await answer

    def _start(self) -> None:
        while len(self._tasks) < self._concurrency and self._waiting:
            task = asyncio.get_running_loop().create_task(self._run(self._take()))
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._start()

    def _take(self) -> list[_Request[W, R]]:
        """What has waited longest, and all that can go with it. Callers who left meanwhile are left out."""
        taken: list[_Request[W, R]] = []
        kept: list[_Request[W, R]] = []
        weight = 0
        for request in self._waiting:
            if request.answer.done():
                continue
            if not taken or (request.kind == taken[0].kind and weight + request.weight <= self._max_weight):
                taken.append(request)
                weight += request.weight
            else:
                kept.append(request)
        self._waiting = kept
        return taken

    async def _run(self, taken: list[_Request[W, R]]) -> None:
        if not taken:
            return
        seconds = max(0.001, max(request.end for request in taken) - time.monotonic())
        loop = asyncio.get_running_loop()
        try:
            results = await loop.run_in_executor(self._pool, self._work, [request.payload for request in taken], seconds)
        except Exception as error:  # noqa: BLE001  each caller gets it
            for request in taken:
                if not request.answer.done():
                    request.answer.set_exception(error)
            return
        for request, result in zip(taken, results, strict=True):
            if not request.answer.done():
                request.answer.set_result(result)
            # One by one: all callers going on at once would hold up whoever asks for health.
            await asyncio.sleep(0)
