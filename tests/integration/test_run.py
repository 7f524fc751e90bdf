"""One small run of the real system through the command line, and what the same command says afterwards."""

import getpass
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.local_run import events, family, run_to_end

from rdiverse.selfplay.steps import RECORDED

pytestmark = pytest.mark.timeout(300)

ITERATION = {
    "iteration", "accuracy_sampled", "accuracy_greedy", "worst_skill", "label_accuracy", "ill_posed_share", "kept", "proposed",
    "mean_self_consistency", "effective_skills", "intra_iteration_repetition", "cross_iteration_repetition", "mean_cosine",
    "reward_terms", "seconds",
}  # fmt: skip


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workspace")


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def output(workspace: Path, temporary: Path) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(temporary))
        return run_to_end(workspace, "--run-id", "small", "--iterations", "1").stdout


@pytest.fixture(scope="module")
def root(workspace: Path, output: str) -> Path:
    return workspace / "runs" / "small"


@pytest.fixture(scope="module")
def summary(root: Path) -> dict[str, Any]:
    return json.loads((root / "summary.json").read_text())


def test_the_summary_holds_every_figure_of_every_iteration(summary: dict[str, Any]):
    assert (summary["run_id"], summary["method"], summary["seed"]) == ("small", "r-diverse", 0)
    assert [row["iteration"] for row in summary["iterations"]] == [0, 1]
    assert summary["wall_seconds"] > 0
    for row in summary["iterations"]:
        assert row.keys() >= ITERATION
        assert 0 <= row["accuracy_sampled"] <= 1
        assert 0 <= row["worst_skill"] <= 1
    base, first = summary["iterations"]
    assert base["proposed"] is None, "the base model proposes nothing"
    assert first["proposed"] == 48
    assert 0 < first["kept"] <= 48
    assert 0 < first["label_accuracy"] <= 1
    assert 1 <= first["effective_skills"] <= first["kept"]
    assert first["cross_iteration_repetition"] is None, "the first iteration has no earlier ones"
    assert first["reward_terms"]["p_map"] == 0, "the memory was empty while the Challenger was trained"
    assert first["reward_terms"]["p_rep"] > 0
    costs = {(entry["iteration"], entry["step"]): entry["cpu_seconds"] for entry in summary["cpu_seconds"]}
    assert {step for t, step in costs if t == 1} >= set(RECORDED)
    # A trainer imports torch and trains: seconds of computing, and no more than all cores together can do.
    assert 2 < costs[1, "train-solver"] < (os.cpu_count() or 1) * summary["wall_seconds"]
    assert set(first["seconds"]) >= set(RECORDED)


def test_the_command_ends_with_the_table_and_the_path_of_the_report(output: str, root: Path, summary: dict[str, Any]):
    lines = output.strip().splitlines()
    assert lines[-1] == f"report: {root / 'report.html'}"
    accuracies = [f"{100 * row['accuracy_sampled']:.1f}" for row in summary["iterations"]]
    assert all(any(accuracy in line for line in lines) for accuracy in accuracies)
    assert (root / "report.html").stat().st_size > 1000


def test_nothing_of_the_run_lives_on(root: Path):
    assert family(root) == []


def test_no_temporary_file_is_left(temporary: Path, root: Path):
    assert (root / "summary.json").is_file()
    for_all_runs = {f"rdiverse-{os.getuid()}", f"torchinductor_{getpass.getuser()}"}
    assert {path.name for path in temporary.iterdir()} <= for_all_runs, "the memory's locks and torch's cache may stay"


def test_every_table_and_the_weights_of_both_policies_are_left(root: Path):
    names = {path.name for path in (root / "iteration-01").iterdir()}
    assert names == {"questions.parquet", "labels.parquet", "curated.parquet", "dataset.parquet", "evaluation.json"}
    for role in ("challenger", "solver"):
        assert (root / "checkpoints" / "iteration-01" / role / "model.safetensors").is_file()
    assert list(root.rglob("*.tmp")) == []


def test_the_same_command_again_starts_no_server_and_prints_the_same(workspace: Path, root: Path, output: str):
    seen = len(events(root))
    began = time.monotonic()
    again = run_to_end(workspace, "--run-id", "small", "--iterations", "1")
    assert time.monotonic() - began < 30
    assert again.stdout == output
    assert len(events(root)) == seen, "no session began"


def test_another_configuration_under_the_same_name_is_refused(workspace: Path, root: Path):
    refused = run_to_end(workspace, "--run-id", "small", "--iterations", "1", "--seed", "5", "solver.samples=9", code=2)
    assert "seed: 0 before, 5 now" in refused.stderr
    assert "solver.samples: 10 before, 9 now" in refused.stderr


@pytest.mark.parametrize("damage", ["truncated", "missing"])
def test_a_damaged_table_stops_the_run_with_its_name(workspace: Path, root: Path, damage: str):
    path = root / "iteration-01" / "labels.parquet"
    content = path.read_bytes()
    path.unlink() if damage == "missing" else path.write_bytes(content[:-10])
    try:
        stopped = run_to_end(workspace, "--run-id", "small", "--iterations", "1", code=1)
    finally:
        path.write_bytes(content)
    assert str(path) in stopped.stderr
    assert "Traceback" not in stopped.stderr


def test_the_configuration_on_record_is_complete(root: Path):
    recorded = yaml.safe_load((root / "config.yaml").read_text())
    assert recorded["challenger"]["reward"]["uncertainty"] == "tent"
    assert recorded["penalty"] == {"cluster_threshold": 0.5, "gamma": 0.5, "tau_max": 0.5, "tau_mean": 0.25}
