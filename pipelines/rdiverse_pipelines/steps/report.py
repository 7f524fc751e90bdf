"""Puts a run's figures into summary.json and onto one page, also while the run is still at work."""

import time
from collections.abc import Callable
from pathlib import Path

from rdiverse.report import write_report
from rdiverse.runs.events import Event, EventLog
from rdiverse.runs.files import write_json
from rdiverse.runs.lines import read_lines
from rdiverse.selfplay.steps import Step
from rdiverse_pipelines.context import RunContext
from rdiverse_pipelines.summary import summarise


def report(run: RunContext) -> None:
    """Write summary.json and report.html from what the steps left. Done anew each time: it reads only files."""
    log = EventLog(run.folder.events)
    log.write(Event(Step.REPORT, run.config.iterations, "start"))
    write_anew(run)
    log.write(Event(Step.REPORT, run.config.iterations, "end"))


def write_anew(run: RunContext) -> None:
    """Write both, and no event: somebody who looks at a run later adds nothing to its wall time."""
    write_json(run.folder.summary, summarise(run))
    write_report(run.folder, run.folder.report)


RELOAD_SECONDS = 10


def watch(run: RunContext, tell: Callable[[str], None], pause: float = RELOAD_SECONDS) -> None:
    """Write the page anew whenever the run has got further, until the run itself writes it at its end.

    Only the page: a summary would say that the run has ended. `tell` is called for every page. What a step is just writing
    is in the next one.
    """
    events = run.folder.events
    seen: list[int] = []
    while not _ended(events):
        now = [path.stat().st_size if path.exists() else 0 for path in (events, run.folder.metrics)]
        if now != seen:
            seen = now
            summary = summarise(run)
            write_report(run.folder, run.folder.report, summary, RELOAD_SECONDS)
            tell(f"{time.strftime('%H:%M:%S')}  {len(summary['iterations'])} of {run.config.iterations + 1} models measured")
        time.sleep(pause)
    # The page of the end may have been written in the middle of one of these.
    write_report(run.folder, run.folder.report)
    tell("the run has ended")


def _ended(events: Path) -> bool:
    written = read_lines(events)
    return bool(written) and (written[-1]["step"], written[-1]["kind"]) == (Step.REPORT, "end")
