"""CPU-seconds of every step on one machine: the steps' own processes, their trainers, and the servers meanwhile."""

import contextlib

import psutil

from rdiverse.runs.events import Event
from rdiverse.runs.folder import RunFolder
from rdiverse_pipelines.usage import note_cpu


class CpuMeter:
    """Notes what a step cost when it ends. To be made when the servers are ready, by the process that started them."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._before = _spent()

    def note(self, event: Event) -> None:
        """Put the CPU-seconds since the last step's end on record when an event tells that one has ended."""
        if event.kind not in {"end", "skip"}:
            return
        now = _spent()
        if event.kind == "end":
            note_cpu(self._folder, event.step, event.iteration, max(now - self._before, 0.0))
        self._before = now


def _spent() -> float:
    """CPU-seconds that this process and everything below it have used; a parent takes over what its ended children used."""
    total = 0.0
    here = psutil.Process()
    for process in (here, *here.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended between the two looks; its parent has its seconds
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total
