"""kill -9 anywhere, then the same command: it goes on, loses nothing, does nothing twice, leaves nothing behind."""

import json
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from tests.local_run import (
    events,
    family,
    listening_ports,
    manifests,
    run_to_end,
    started,
    wait_for,
    wait_until_gone,
)

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

ARGUMENTS = ("--run-id", "killed", "--iterations", "1")
MOMENTS = {
    "Challenger training": ("train-challenger", "progress", 0.0),
    "labelling": ("label", "start", 0.5),
    "commit": ("curate", "start", 0.4),
    "Solver training": ("train-solver", "progress", 0.0),
}


def kill_at(workspace: Path, root: Path, moment: str, whole_group: bool, delay: float) -> None:
    step, kind, _ = MOMENTS[moment]
    before, done = len(events(root)), manifests(root)

    def seen(event: dict[str, Any]) -> bool:
        return event["step"] == step and event["kind"] == kind

    with started(workspace, *ARGUMENTS) as process:
        wait_for(process, root, seen, after=before)
        time.sleep(delay)
        ports = listening_ports(family(root))
        assert len(ports) >= 9, "four servers with two ports each and Milvus Lite listen"
        (os.killpg if whole_group else os.kill)(process.pid, signal.SIGKILL)
        process.wait()
        wait_until_gone(root, ports)
    kept = manifests(root)
    assert {name: kept[name] for name in done} == done, "a finished step was done again"


@pytest.mark.parametrize("whole_group", [False, True], ids=["command alone", "process group"])
def test_killed_in_every_phase_a_run_still_ends_with_the_figures_of_an_undisturbed_one(
    tmp_path: Path, undisturbed: dict[str, Any], whole_group: bool
):
    rng = random.Random(int(whole_group))
    root = tmp_path / "runs" / "killed"
    for moment, (_, _, delay) in MOMENTS.items():
        kill_at(tmp_path, root, moment, whole_group, delay * rng.uniform(0.2, 1.8))
    done = manifests(root)
    run_to_end(tmp_path, *ARGUMENTS)
    finished = manifests(root)
    assert {name: finished[name] for name in done} == done, "a finished step was done again"
    assert without_timings(json.loads((root / "summary.json").read_text())) == undisturbed
    wait_until_gone(root, set())


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    workspace = tmp_path_factory.mktemp("undisturbed")
    run_to_end(workspace, *ARGUMENTS)
    return without_timings(json.loads((workspace / "runs" / "killed" / "summary.json").read_text()))


def without_timings(summary: dict[str, Any]) -> dict[str, Any]:
    rows = [{key: value for key, value in row.items() if key != "seconds"} for row in summary["iterations"]]
    return summary | {"iterations": rows, "wall_seconds": None}
