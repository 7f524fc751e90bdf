"""Answer equality for servers and trainers: normal forms here, symbolic checks in processes that can be killed."""

import hashlib
import queue
import threading
from collections import Counter, OrderedDict
from types import TracebackType
from typing import Any, Self

from rdiverse.grading import compat as r_zero
from rdiverse.grading.decide import WHOLE, Question, compare
from rdiverse.grading.normal import form, plain_integer
from rdiverse.grading.process import Worker, WorkerTimeoutError
from rdiverse.grading.structure import MAX_CHARACTERS

_REMEMBERED = 65_536
_GIVE_UP = 3
"""An answer that ran out of time this often is not checked symbolically again: one sample must not stop a whole vote."""


class GradingPool:
    """Decides whether two answers are equal. Thread-safe.

    No process is started before the first pair that normal forms leave open; then at most `workers`, which stay. A check
    that takes more than `timeout` seconds of CPU, or twice that on the clock, makes the pair unequal, is counted in
    `timeouts`, and its process is killed and replaced. `compat` follows R-Zero's rules (see `rdiverse.grading.compat`)
    instead of normal forms.
    """

    def __init__(self, workers: int = 1, timeout: float = 2.0, compat: bool = False) -> None:
        if workers < 1 or timeout <= 0:
            raise ValueError(f"workers = {workers}, timeout = {timeout}: both must be positive")
        self.timeout = timeout
        self._workers = workers
        self._compat = compat
        self._lock = threading.Lock()
        self._timeouts = 0
        self._closed = False
        self._known: OrderedDict[bytes, bool] = OrderedDict()
        self._slow: Counter[bytes] = Counter()
        # A slot is a process, or room for one that nobody has needed yet.
        self._slots: queue.LifoQueue[Worker | None] = queue.LifoQueue()
        for _ in range(workers):
            self._slots.put(None)

    @property
    def timeouts(self) -> int:
        """Checks that ran out of time so far."""
        return self._timeouts

    def equal(self, a: str, b: str) -> bool:
        """Whether two answers are equal, whatever their order. Any text is an answer.

        Raises:
            RuntimeError: the pool is closed, or no grading process can be started.
        """
        if a == b:
            return True
        if self._compat:
            questions = r_zero.compare(a, b)
        else:
            x, y = plain_integer(a), plain_integer(b)
            if x is not None and y is not None:
                return x == y
            questions = compare(form(a), form(b))
        if questions is None:
            return False
        return all(self._asked(*_as_asked(question, a, b)) for question in questions)

    def close(self) -> None:
        """End every process, waiting for checks that run. Calling it again does nothing."""
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

    def _asked(self, kind: str, a: Any, b: Any) -> bool:
        key, sides = _digest(kind, a, b), (_digest(a), _digest(b))
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
            if max(self._slow[side] for side in sides) >= _GIVE_UP:
                return False
        answer = self._checked(kind, a, b)
        with self._lock:
            self._known[key] = answer
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return answer

    def _checked(self, kind: str, a: Any, b: Any) -> bool:
        """Ask a process, replacing it when it did not answer."""
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
                self._slow.update((_digest(a), _digest(b)))
            _end(worker)
            # It starts while nobody waits for it.
            worker = Worker(kind)
            return False
        except BaseException:
            _end(worker)
            worker = None
            raise
        finally:
            self._slots.put(worker)


def _as_asked(question: Question, a: str, b: str) -> tuple[str, Any, Any]:
    if question is WHOLE:
        first, second = sorted((a[:MAX_CHARACTERS], b[:MAX_CHARACTERS]))
        return "latex", first, second
    return "nodes", question.a, question.b


def _digest(*question: Any) -> bytes:
    """What is remembered of a question, which itself may be large."""
    return hashlib.sha256(repr(question).encode(errors="surrogatepass")).digest()


def _end(worker: Worker | None) -> None:
    if worker is not None:
        worker.end()
