"""Who is computed next: a thread that owns the model, and a queue in front of it that is fair, bounded and exact.

A job with a seed is computed in chunks of its own, cut by a fixed rule (`rdiverse.lm.batching`), so that the same request
meets the same batches and gives the same text. Chunks of other jobs are gathered into common batches. Jobs take turns; one
whose results are not read waits. Prompts are never split over chunks, and changes of weights happen between chunks.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

from rdiverse.grpcio_kit.errors import DrainingError
from rdiverse.inference.engines.engine import Completion, GenerationRequest, check_queue
from rdiverse.lm.batching import whole_prompts

log = logging.getLogger(__name__)

GATHER_SECONDS = 0.002
"""How long a batch with room waits for company."""
_UNREAD_BATCHES = 4
"""Batches of completions that may wait for a reader before its job has to."""

T = TypeVar("T")


@dataclass(frozen=True)
class Chunk:
    """Some prompts of a job with all of their samples."""

    prompts: tuple[int, ...]
    """Positions in the job's request."""
    rows: int


class Job:
    """One request under way. `deliver` and `fail` may be called from any thread, the rest from the loop's.

    `left_out`: positions of prompts that are not to be computed.
    """

    def __init__(
        self,
        request: GenerationRequest,
        tokens: Sequence[Sequence[int]],
        seed: int,
        max_rows: int,
        left_out: Sequence[int] = (),
    ) -> None:
        self.request = request
        self.tokens = tokens
        self.seed = seed
        self.cancelled = False
        self.unread = 0
        kept = sorted(set(range(len(tokens))).difference(left_out))
        self.chunks = deque(
            Chunk(tuple(kept[i] for i in chunk), len(chunk) * request.n)
            for chunk in whole_prompts([len(tokens[i]) for i in kept], request.n, max_rows)
        )
        self._remaining_rows = len(kept) * request.n
        self._loop = asyncio.get_running_loop()
        self._mailbox: asyncio.Queue[list[Completion] | Exception] = asyncio.Queue()

    @property
    def waiting_rows(self) -> int:
        """Rows whose computing has not begun."""
        return sum(chunk.rows for chunk in self.chunks)

    def deliver(self, completions: list[Completion]) -> None:
        """Hand completions to the reader."""
        self.unread += len(completions)
        self._post(completions)

    def fail(self, error: Exception) -> None:
        """End the job with an error."""
        self.cancelled = True
        self._post(error)

    async def receive(self) -> list[Completion]:
        """The next completions; an empty list when all were given. Raises what the job failed with."""
        if not self._remaining_rows:
            return []
        got = await self._mailbox.get()
        if isinstance(got, Exception):
            raise got
        self._remaining_rows -= len(got)
        return got

    def _post(self, message: list[Completion] | Exception) -> None:
        try:
            self._loop.call_soon_threadsafe(self._mailbox.put_nowait, message)
        except RuntimeError:  # the loop has ended, and the reader with it
            self.cancelled = True


class Scheduler:
    """Owns the thread that computes. `compute(parts)` draws the chunks of one batch and delivers to their jobs."""

    def __init__(
        self, compute: Callable[[list[tuple[Job, Chunk]]], None], max_rows: int, max_queue_rows: int, name: str = "engine"
    ) -> None:
        self._compute = compute
        self._max_rows = max_rows
        self._max_queue_rows = max_queue_rows
        self._changed = threading.Condition()
        self._jobs: deque[Job] = deque()
        self._calls: deque[Callable[[], None]] = deque()
        self._stopping = False
        self.running_rows = 0
        """Rows in the batch that is computed now; 0: idle."""
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def healthy(self) -> bool:
        """Whether the thread that computes is there."""
        return self._thread.is_alive()

    @property
    def waiting_rows(self) -> int:
        """Rows that wait to be computed."""
        with self._changed:
            return sum(job.waiting_rows for job in self._jobs if not job.cancelled)

    def submit(self, job: Job) -> None:
        """Queue a job. Raises OverloadedError when more rows would wait than may; a job alone is always taken."""
        with self._changed:
            check_queue(self.waiting_rows, job.waiting_rows, self._max_queue_rows)
            if self._stopping:
                raise DrainingError
            self._jobs.append(job)
            self._changed.notify()

    def read(self, job: Job, count: int) -> None:
        """Note that a job's reader took completions."""
        with self._changed:
            job.unread -= count
            self._changed.notify()

    def cancel(self, job: Job) -> None:
        """Drop what is left of a job; rows under way leave their batch at its next step."""
        with self._changed:
            job.cancelled = True
            if job in self._jobs:
                self._jobs.remove(job)

    async def between_batches(self, call: Callable[[], T]) -> T:
        """Run a function in the thread that computes, while nothing else is computed."""
        done: Future[T] = Future()

        def run() -> None:
            if not done.set_running_or_notify_cancel():
                return
            try:
                done.set_result(call())
            except BaseException as error:  # noqa: BLE001  handed to the caller
                done.set_exception(error)

        with self._changed:
            if self._stopping:
                raise DrainingError
            self._calls.append(run)
            self._changed.notify()
        return await asyncio.wrap_future(done)

    def stop(self) -> None:
        """Fail what waits and end the thread after the present batch."""
        with self._changed:
            self._stopping = True
            for job in self._jobs:
                job.fail(DrainingError())
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            work = self._next()
            if work is None:
                return
            if callable(work):
                work()
                continue
            self.running_rows = sum(chunk.rows for _, chunk in work)
            try:
                self._compute(work)
            except Exception as error:
                log.exception("a batch failed")
                for job, _ in work:
                    self.cancel(job)
                    job.fail(error)
            finally:
                self.running_rows = 0

    def _next(self) -> list[tuple[Job, Chunk]] | Callable[[], None] | None:
        with self._changed:
            while True:
                if self._stopping:
                    return None
                if self._calls:
                    return self._calls.popleft()
                job = self._turn(lambda _job: True)
                if job is not None:
                    break
                self._changed.wait()
            batch = [(job, self._take(job))]
            if job.request.seed is not None:
                return batch
            deadline = time.monotonic() + GATHER_SECONDS
            rows = batch[0][1].rows
            while rows < self._max_rows:
                room = self._max_rows - rows
                other = self._turn(lambda job: job.request.seed is None and job.chunks[0].rows <= room)  # noqa: B023
                if other is not None:
                    batch.append((other, self._take(other)))
                    rows += batch[-1][1].rows
                elif not self._changed.wait(deadline - time.monotonic()):
                    break
            return batch

    def _turn(self, fits: Callable[[Job], bool]) -> Job | None:
        """The job whose turn it is; it moves to the end of the line."""
        for job in self._jobs:
            if job.chunks and not job.cancelled and job.unread <= _UNREAD_BATCHES * self._max_rows and fits(job):
                self._jobs.remove(job)
                self._jobs.append(job)
                return job
        return None

    def _take(self, job: Job) -> Chunk:
        chunk = job.chunks.popleft()
        if not job.chunks:
            self._jobs.remove(job)
        return chunk
