"""What a run shows of its progress where no terminal is: a line a minute, with the last figure."""

from pathlib import Path

import pytest

from rdiverse.config import load_config
from rdiverse.runs.events import Event, EventTail
from rdiverse.runs.folder import RunFolder
from rdiverse_pipelines.local import progress
from rdiverse_pipelines.steps.progress import StepProgress

LOCAL = Path(__file__).parents[2] / "configs" / "local.yaml"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_off_a_terminal_a_long_step_is_told_once_a_minute(tmp_path: Path, clock: list[float], capsys: pytest.CaptureFixture):
    with progress.ProgressView(RunFolder.of(tmp_path, "a-run"), load_config(LOCAL)) as view:
        capsys.readouterr()
        view.show(Event("train-solver", 1, "start"))
        for step in range(1, 16):
            clock[0] += 10
            view.show(Event("train-solver", 1, "progress", step, 15, f"reward {step / 20:.3f}"))
        view.show(Event("train-solver", 1, "end", message="150.0 s"))
    assert [" ".join(line.split()) for line in capsys.readouterr().err.splitlines()] == [
        "iteration 1/3 train-solver 6 of 15 reward 0.300",
        "iteration 1/3 train-solver 12 of 15 reward 0.600",
        "iteration 1/3 train-solver 150.0 s",
    ]


def test_a_step_says_how_far_it_is_and_what_it_found_last(tmp_path: Path):
    run = RunFolder.of(tmp_path, "a-run")
    run.root.mkdir(parents=True)
    tail = EventTail(run.events)
    counted = StepProgress(run, "label", 2, 2)
    counted.advance("mean s 0.50")
    counted.advance("mean s 0.55")
    StepProgress(run, "evaluate", 2).reach(30, 60)
    found = [(event.step, event.done, event.total, event.message) for event in tail]
    assert found == [("label", 1, 2, "mean s 0.50"), ("label", 2, 2, "mean s 0.55"), ("evaluate", 30, 60, "")]
