"""How far a step has come, for whoever watches."""

import time

from rdiverse.runs.events import Event, EventLog
from rdiverse.runs.folder import RunFolder

INTERVAL = 0.2


class StepProgress:
    """Counts pieces of work and reports them, at most every INTERVAL seconds."""

    def __init__(self, run: RunFolder, step: str, iteration: int, total: int = 0) -> None:
        self._log = EventLog(run.events)
        self._step, self._iteration, self._total = step, iteration, total
        self._done = 0
        self._last = 0.0

    def advance(self, said: str = "") -> None:
        """Count one more piece. `said`: the figure that it brought."""
        self.reach(self._done + 1, self._total, said)

    def reach(self, done: int, total: int, said: str = "") -> None:
        """Say that so many pieces of so many are done."""
        self._done, self._total = done, total
        now = time.monotonic()
        if now - self._last >= INTERVAL or done == total:
            self._last = now
            self._log.write(Event(self._step, self._iteration, "progress", done, total, said))
