"""kill -9 anywhere, then the same command: it goes on, loses nothing, does nothing twice, leaves nothing behind."""

import http.client
import json
import os
import random
import signal
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from tests.support.diversity_servers import Lite, Service
from tests.support.local_run import (
    events,
    family,
    listening_ports,
    manifests,
    run_to_end,
    started,
    wait_for,
    wait_until_gone,
)

from rdiverse.diversity.client import DiversityClient

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
        if step == "train-challenger":  # which is long enough to look around in
            assert sum(map(serves_metrics, ports)) >= 4, "every server serves Prometheus metrics"
            refused = run_to_end(workspace, *ARGUMENTS, code=2)
            assert f"another command (process {process.pid}) works in this folder" in refused.stderr
        (os.killpg if whole_group else os.kill)(process.pid, signal.SIGKILL)
        process.wait()
        wait_until_gone(root, ports)
    kept = manifests(root)
    assert {name: kept[name] for name in done} == done, "a finished step was done again"


def serves_metrics(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=2) as response:
            return b"# TYPE python_info gauge" in response.read()
    except (OSError, http.client.HTTPException):
        return False


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
    summary = without_timings(json.loads((root / "summary.json").read_text()))
    assert summary == undisturbed
    wait_until_gone(root, set())
    assert remembered(root, tmp_path) == [(1, summary["iterations"][1]["kept"])], "an iteration is remembered exactly once"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    workspace = tmp_path_factory.mktemp("undisturbed")
    run_to_end(workspace, *ARGUMENTS)
    return without_timings(json.loads((workspace / "runs" / "killed" / "summary.json").read_text()))


def remembered(root: Path, scratch: Path) -> list[tuple[int, int]]:
    """Iterations and their items in the run's memory, asked of the diversity service and counted by a search of its own."""
    milvus = Lite(root / "memory")
    service = Service(scratch / "service", milvus.uri)
    try:
        milvus.start()
        milvus.wait_until_ready()
        service.start()
        service.wait_until_ready()
        with DiversityClient(service.address) as client:
            stats = client.get_stats(root.name)
            everything = client.sample_replay(root.name, before_iteration=100, count=1_000_000, seed=0)
            found = [(entry.iteration, entry.items) for entry in stats.iterations]
            assert len(everything) == sum(items for _, items in found)
            return found
    finally:
        service.stop()
        milvus.stop()


def without_timings(summary: dict[str, Any]) -> dict[str, Any]:
    rows = [{key: value for key, value in row.items() if key != "seconds"} for row in summary["iterations"]]
    return summary | {"iterations": rows, "wall_seconds": None, "cpu_seconds": None}
