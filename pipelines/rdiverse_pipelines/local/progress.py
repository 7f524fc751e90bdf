"""Draws a run's progress: bars with an estimate on a terminal, a line a minute in a log."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from rdiverse.config import RunConfig
from rdiverse.runs.events import Event
from rdiverse.runs.folder import RunFolder

SECONDS_A_LINE = 60.0


class ProgressView:
    """Shows the step that is at work, and a line for each that has ended."""

    def __init__(self, folder: RunFolder, config: RunConfig) -> None:
        self._console = Console(stderr=True)
        wide = self._console.width >= 80
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(20 if wide else 6),
            TextColumn("{task.fields[figures]}"),
            *([TimeElapsedColumn()] if wide else []),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task("starting", total=None, figures="")
        self._told = time.monotonic()
        self._iterations = config.iterations
        self.message(
            f"run {folder.run_id}: {config.method}, seed {config.seed}, {config.iterations} iterations, in {folder.root}"
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._progress.stop()

    def message(self, text: str) -> None:
        """Print a line above the bar."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def show(self, event: Event) -> None:
        """Draw one event. Its text is data: nothing in it is taken for markup."""
        short = f"{event.iteration}/{self._iterations} {event.step}"
        where = f"iteration {event.iteration}/{self._iterations}  {event.step}"
        match event.kind:
            case "start":
                self._progress.reset(self._task, description=short, total=None, figures="")
                self._told = time.monotonic()
            case "progress":
                figures = f"{event.done} of {event.total}  {event.message}".rstrip()
                self._progress.update(self._task, description=short, completed=event.done, total=event.total, figures=figures)
                self._tell(f"{where:<34} {figures}")
            case "end":
                self.message(f"{where:<34} {event.message:>9}")
            case "skip":
                self.message(f"{where:<34} {'done before':>9}")
            case "error" | "session":
                pass

    def _tell(self, text: str) -> None:
        """A line, where no bar is drawn, unless one was written within the last minute."""
        if not self._console.is_terminal and time.monotonic() - self._told >= SECONDS_A_LINE:
            self._told = time.monotonic()
            self.message(text)
