"""Answer equality for servers and trainers: normal forms here, symbolic checks in processes that can be killed."""

import hashlib
from collections import Counter, OrderedDict
from collections.abc import Iterable
from typing import Any

from rdiverse.grading import compat as r_zero
from rdiverse.grading.decide import WHOLE, Question, compare
from rdiverse.grading.normal import form, plain_integer
from rdiverse.grading.partition import bridged, closure
from rdiverse.grading.structure import MAX_CHARACTERS
from rdiverse.grading.workers import WorkerPool

_REMEMBERED = 65_536
_GIVE_UP = 3
"""An answer that ran out of time this often, in one vote or outside of votes, is not checked again: one sample must not stop a
whole vote. What that decides counts as a time-out."""


class GradingPool(WorkerPool):
    """Decides whether two answers are equal. Thread-safe.

    Only pairs that normal forms leave open go to the processes. A check that runs out of time makes the pair unequal.
    `compat` follows R-Zero's rules (see `rdiverse.grading.compat`) instead of normal forms.
    """

    def __init__(self, workers: int = 1, timeout: float = 2.0, compat: bool = False) -> None:
        super().__init__(workers, timeout)
        self._compat = compat
        self._known: OrderedDict[bytes, bool | None] = OrderedDict()
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
        return self._hold(questions, a, b, self._slow)

    def classes(self, answers: Iterable[str]) -> list[set[str]]:
        """Part the answers of one vote: an equivalence, whatever the library says, that does not depend on earlier votes.

        Here every answer means what it says. One that may stand for another, as 5 for 5 cm, joins it where nothing else is
        possible (see `rdiverse.grading.partition.bridged`).

        Raises:
            RuntimeError: the pool is closed, or no grading process can be started.
        """
        spellings = sorted(set(answers))
        if self._compat:
            return closure(spellings, self.equal)
        by_key: dict[tuple[str, str], set[str]] = {}
        for spelling in spellings:
            integer = plain_integer(spelling)
            key = ("value", integer) if integer is not None else (form(spelling).kind, form(spelling).key)
            by_key.setdefault(key, set()).add(spelling)
        members = {min(same): same for same in by_key.values()}
        if all(key[0] == "value" and key[1].lstrip("-").isdigit() for key in by_key):
            return list(members.values())
        slow: Counter[bytes] = Counter()
        joined = closure(members, lambda a, b: self._hold(compare(form(a), form(b), strict=True), a, b, slow))
        classes = [set[str]().union(*(members[one] for one in same)) for same in joined]
        return bridged(classes, form, lambda a, b: compare(a, b) == [])

    def _hold(self, questions: list[Question] | None, a: str, b: str, slow: Counter[bytes]) -> bool:
        return questions is not None and all(self._asked(*_as_asked(question, a, b), slow) for question in questions)

    def _asked(self, kind: str, a: Any, b: Any, slow: Counter[bytes]) -> bool:
        key, sides = _digest(kind, a, b), (_digest(a), _digest(b))
        with self._lock:
            if max(slow[side] for side in sides) >= _GIVE_UP:
                self._timeouts += 1
                return False
            known = key in self._known
            if known:
                self._known.move_to_end(key)
                answer = self._known[key]
                self._timeouts += answer is None
        if not known:
            answer = self.ask(kind, a, b)
        with self._lock:
            if answer is None and not known:
                slow.update(sides)
            self._known[key] = answer
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
