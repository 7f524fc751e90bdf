"""Puts a run's figures into summary.json and onto one page."""

from rdiverse.report import write_report
from rdiverse.runs.events import Event, EventLog
from rdiverse.runs.files import write_json
from rdiverse.selfplay.steps import Step
from rdiverse_pipelines.context import RunContext
from rdiverse_pipelines.summary import summarise


def report(run: RunContext) -> None:
    """Write summary.json and report.html from what the steps left. Done anew each time: it reads only files."""
    log = EventLog(run.folder.events)
    log.write(Event(Step.REPORT, run.config.iterations, "start"))
    write_json(run.folder.summary, summarise(run))
    write_report(run.folder, run.folder.report)
    log.write(Event(Step.REPORT, run.config.iterations, "end"))
