"""The page of a run that is still at work."""

import threading
from dataclasses import asdict
from pathlib import Path

from tests.support.report_run import make_run

from rdiverse.config import load_config
from rdiverse.runs.events import Event, EventLog
from rdiverse.runs.files import write_json
from rdiverse.runs.folder import RunFolder
from rdiverse.runs.manifest import StepRecord
from rdiverse_pipelines.context import RunContext
from rdiverse_pipelines.steps.report import watch


def measured(run: RunFolder, t: int) -> None:
    """What the end of an evaluation leaves."""
    write_json(run.manifest(t, "evaluate"), asdict(StepRecord("evaluate", t, {}, {}, {}, 1.5)))
    EventLog(run.events).write(Event("evaluate", t, "end"))


def test_the_page_follows_the_run_and_ends_as_the_runs_own(tmp_path: Path):
    run = make_run(tmp_path, iterations=2)
    final = run.summary.read_bytes()
    run.summary.unlink()
    EventLog(run.events).write(Event("run", 0, "session"))
    told: list[str] = []
    pages: list[str] = []
    written = threading.Semaphore(0)

    def tell(text: str) -> None:
        told.append(text[text.find("  ") + 2 :] if "  " in text else text)
        pages.append(run.report.read_text())
        written.release()

    watcher = threading.Thread(target=watch, args=(RunContext(run, load_config(run.config)), tell, 0.01))
    watcher.start()
    for t in range(3):
        assert written.acquire(timeout=30)
        assert not run.summary.exists(), "a summary would say that the run has ended"
        measured(run, t)
    assert written.acquire(timeout=30)
    run.summary.write_bytes(final)
    EventLog(run.events).write(Event("report", 2, "end"))
    watcher.join(30)
    assert not watcher.is_alive()
    assert told[:4] == [f"{count} of 3 models measured" for count in range(4)]
    assert told[-1] == "the run has ended"
    for page in pages[:4]:
        assert 'http-equiv="refresh" content="10"' in page
        assert "The run is still at work" in page
    assert [page.count('data-key="accuracy_sampled"') for page in pages[:4]] == [0, 1, 2, 3]
    assert "refresh" not in pages[-1]
    assert "All of them" in pages[-1]
