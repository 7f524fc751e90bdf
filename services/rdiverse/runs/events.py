"""Progress of long work: steps append to a file, whoever wants draws it."""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from rdiverse.runs.lines import append_line, parsed


@dataclass(frozen=True)
class Event:
    """One line of events.jsonl."""

    step: str
    iteration: int
    kind: Literal["session", "start", "progress", "end", "skip", "error"]
    """session: a command began to work on the run."""
    done: int = 0
    total: int = 0
    """0: unknown."""
    message: str = ""
    time: float = 0.0


class EventLog:
    """Appends events. Lines are written whole, so that several processes may share the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, event: Event) -> None:
        """Append one event with the present time."""
        append_line(self._path, asdict(event) | {"time": time.time()})


class EventTail:
    """Reads what was appended since the last look."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = path.stat().st_size if path.exists() else 0

    def __iter__(self) -> Iterator[Event]:
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._offset += len(line)
                if entry := parsed(line):
                    yield Event(**entry)
