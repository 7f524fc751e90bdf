"""A few grading processes, of which one that does not answer in time is killed and replaced."""

import queue
import threading
from types import TracebackType
from typing import Any, Self

from rdiverse.grading.process import Worker, WorkerTimeoutError


class WorkerPool:
    """Puts questions to processes that can be killed. Thread-safe.

    No process is started before the first question; then at most `workers`, which stay. A question that takes more than
    `timeout` seconds of CPU, or twice that on the clock, or over which its process dies, is counted in `timeouts`.
    """

    def __init__(self, workers: int = 1, timeout: float = 2.0) -> None:
        if workers < 1 or timeout <= 0:
            raise ValueError(f"workers = {workers}, timeout = {timeout}: both must be positive")
        self.timeout = timeout
        self._workers = workers
        self._lock = threading.Lock()
        self._timeouts = 0
        self._closed = False
        # A slot is a process, or room for one that nobody has needed yet.
        self._slots: queue.LifoQueue[Worker | None] = queue.LifoQueue()
        for _ in range(workers):
            self._slots.put(None)

    @property
    def timeouts(self) -> int:
        """Questions that were not answered in time so far."""
        return self._timeouts

    def ask(self, kind: str, a: Any, b: Any) -> bool | None:
        """Put a question of a kind that `rdiverse.grading.worker` knows; None: there was no answer in time.

        Raises:
            RuntimeError: the pool is closed, or no grading process can be started.
        """
        worker = self._slots.get()
        try:
            if self._closed:
                raise RuntimeError("the grading pool is closed")
            if worker is None:
                worker = Worker()
            return worker.ask(kind, a, b, self.timeout)
        except WorkerTimeoutError:
            with self._lock:
                self._timeouts += 1
            _end(worker)
            # It starts while nobody waits for it.
            worker = Worker(kind)
            return None
        except BaseException:
            _end(worker)
            worker = None
            raise
        finally:
            self._slots.put(worker)

    def close(self) -> None:
        """End every process, waiting for questions under way. Calling it again does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        for _ in range(self._workers):
            _end(self._slots.get())
        for _ in range(self._workers):
            self._slots.put(None)  # for threads that were still waiting for one

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _end(worker: Worker | None) -> None:
    if worker is not None:
        worker.end()
