"""Answer equality for servers and trainers: normal forms here, symbolic checks in processes that can be killed."""

import hashlib
from collections import Counter, OrderedDict
from typing import Any

from rdiverse.grading import compat as r_zero
from rdiverse.grading.decide import WHOLE, Question, compare
from rdiverse.grading.normal import form, plain_integer
from rdiverse.grading.structure import MAX_CHARACTERS
from rdiverse.grading.workers import WorkerPool

_REMEMBERED = 65_536
_GIVE_UP = 3
"""An answer that ran out of time this often is not checked symbolically again: one sample must not stop a whole vote."""


class GradingPool(WorkerPool):
    """Decides whether two answers are equal. Thread-safe.

    Only pairs that normal forms leave open go to the processes. A check that runs out of time makes the pair unequal.
    `compat` follows R-Zero's rules (see `rdiverse.grading.compat`) instead of normal forms.
    """

    def __init__(self, workers: int = 1, timeout: float = 2.0, compat: bool = False) -> None:
        super().__init__(workers, timeout)
        self._compat = compat
        self._known: OrderedDict[bytes, bool] = OrderedDict()
        self._slow: Counter[bytes] = Counter()

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

    def _asked(self, kind: str, a: Any, b: Any) -> bool:
        key, sides = _digest(kind, a, b), (_digest(a), _digest(b))
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
            if max(self._slow[side] for side in sides) >= _GIVE_UP:
                return False
        answer = self.ask(kind, a, b)
        with self._lock:
            if answer is None:
                self._slow.update(sides)
            self._known[key] = bool(answer)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return bool(answer)


def _as_asked(question: Question, a: str, b: str) -> tuple[str, Any, Any]:
    if question is WHOLE:
        first, second = sorted((a[:MAX_CHARACTERS], b[:MAX_CHARACTERS]))
        return "latex", first, second
    return "nodes", question.a, question.b


def _digest(*question: Any) -> bytes:
    """What is remembered of a question, which itself may be large."""
    return hashlib.sha256(repr(question).encode(errors="surrogatepass")).digest()
