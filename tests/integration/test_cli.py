"""What the command line says to a person who got something wrong, before anything starts."""

import socket
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.support.local_run import LOCAL, run_to_end


def rdiverse(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rdiverse.cli", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_help_answers_in_under_a_second():
    seconds = []
    for _ in range(3):
        began = time.monotonic()
        assert rdiverse("--help").returncode == 0
        seconds.append(time.monotonic() - began)
    assert statistics.median(seconds) < 1


@pytest.mark.parametrize("module", ["torch", "grpc", "kfp", "pymilvus", "transformers", "pandas"])
def test_help_loads_nothing_heavy(module: str):
    code = f"import sys, rdiverse.cli; sys.exit({module!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("sollver.samples=3", "sollver: unknown field"),
        ("solver.samples=0", "solver.samples = 0"),
        ("model=/nowhere/at/all", "model = '/nowhere/at/all': /nowhere/at/all: is not a directory"),
        ("model=/tmp", "model = '/tmp': /tmp: is not a model directory"),
        ("coder.model=pkg:rdiverse/nothing", "coder.model = 'pkg:rdiverse/nothing'"),
        ("oracle=rdiverse.nowhere:oracle", "oracle = 'rdiverse.nowhere:oracle'"),
        ("evaluation.benchmarks=[{name: x, path: /nowhere.jsonl}]", "evaluation.benchmarks.0.path = '/nowhere.jsonl'"),
    ],
)
def test_a_wrong_configuration_ends_before_anything_starts(tmp_path: Path, override: str, said: str):
    refused = run_to_end(tmp_path, override, code=2)
    assert said in refused.stderr
    assert refused.stderr.startswith("error: ")
    assert "Traceback" not in refused.stderr
    assert refused.stdout == ""
    assert not list(tmp_path.rglob("logs")), "nothing was started"


def test_an_unwritable_workspace_is_refused(tmp_path: Path):
    (tmp_path / "file").touch()
    refused = run_to_end(tmp_path / "file", code=2)
    assert "workspace = " in refused.stderr
    assert "Not a directory" in refused.stderr


def test_a_full_port_range_is_refused(tmp_path: Path):
    with ExitStack() as held:
        first = held.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
        refused = run_to_end(tmp_path, f"local.port_range=[{first}, {first}]", code=2)
    assert f"local.port_range = [{first}, {first}]: 0 of the 10 ports needed are free" in refused.stderr


@pytest.mark.parametrize("arguments", [(), ("--config", "/nowhere.yaml"), ("--config", str(LOCAL), "--seed", "many")])
def test_wrong_usage_is_exit_code_2(arguments: tuple[str, ...]):
    refused = rdiverse("run", *arguments)
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr


def test_a_file_in_the_place_of_the_run_is_left_alone(tmp_path: Path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "r-diverse-seed0").write_text("mine")
    refused = run_to_end(tmp_path, code=2)
    assert "r-diverse-seed0" in refused.stderr
    assert (tmp_path / "runs" / "r-diverse-seed0").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]
