"""How far a step has come, for whoever watches."""

import time

from rdiverse.runs.events import Event, EventLog
from rdiverse.runs.folder import RunFolder

INTERVAL = 0.2


class StepProgress:
    """Counts pieces of work and reports them, at most every INTERVAL seconds."""

    def __init__(self, run: RunFolder, step: str, iteration: int, total: int) -> None:
        self._log = EventLog(run.events)
        self._step, self._iteration, self._total = step, iteration, total
        self._done = 0
        self._last = 0.0

    def advance(self, count: int = 1) -> None:
        """Count `count` more pieces."""
        self._done += count
        now = time.monotonic()
        if now - self._last >= INTERVAL or self._done == self._total:
            self._last = now
            self._log.write(Event(self._step, self._iteration, "progress", self._done, self._total))
