"""What stands in a workspace: its runs, and how far each has come."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rdiverse.config import load_config
from rdiverse.runs.folder import RunFolder
from rdiverse.runs.lines import read_lines
from rdiverse.runs.lock import is_locked
from rdiverse.selfplay.steps import Step
from rdiverse_pipelines.context import RunContext
from rdiverse_pipelines.iterations import pipeline_iterations
from rdiverse_pipelines.summary import summarise


@dataclass(frozen=True)
class RunState:
    """A run, as its folder shows it."""

    run: str
    method: str
    seed: int
    state: Literal["running", "finished", "stopped"]
    iteration: int
    """The last one that was measured; 0 is the base model, -1: none yet."""
    iterations: int
    phase: str
    """The step that was begun last."""
    sampled: float | None
    """Sampled accuracy of that iteration."""
    greedy: float | None
    folder: str


def runs(workspace: Path) -> list[RunState]:
    """All runs of a workspace, by name. Raises ConfigError for a run whose configuration cannot be read."""
    folders = sorted(path.parent for path in (workspace / "runs").glob("*/config.yaml"))
    return [state_of(RunFolder(folder)) for folder in folders]


def state_of(folder: RunFolder) -> RunState:
    """How far a run has come. Raises ConfigError."""
    config = load_config(folder.config)
    rows = summarise(RunContext(folder, config))["iterations"]
    events = read_lines(folder.events)
    last: dict[str, Any] = rows[-1] if rows else {"iteration": -1, "accuracy_sampled": None, "accuracy_greedy": None}
    ended = bool(events) and (events[-1]["step"], events[-1]["kind"]) == (Step.REPORT, "end")
    return RunState(
        run=folder.run_id,
        method=str(config.method),
        seed=config.seed,
        state="running" if is_locked(folder.lock) else "finished" if ended else "stopped",
        iteration=last["iteration"],
        iterations=pipeline_iterations(config),
        phase=next((event["step"] for event in reversed(events) if event["kind"] == "start"), ""),
        sampled=last["accuracy_sampled"],
        greedy=last["accuracy_greedy"],
        folder=str(folder.root),
    )
