"""What the command line says to a person who got something wrong, before anything starts."""

import json
import shlex
import socket
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import typer
from tests.support.local_run import LOCAL, run_to_end

from rdiverse.cli import app
from rdiverse.cli.examples import EXAMPLES
from rdiverse.config import load_config
from rdiverse.runs.lock import locked
from rdiverse.runs.ports import free_ports
from rdiverse.selfplay.methods import Method
from rdiverse_pipelines.steps.prepare import begin_session, prepare


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


def test_every_help_ends_with_an_example_of_the_command():
    pages = commands(typer.main.get_command(app))
    assert len(pages) == len(EXAMPLES)
    for path, command in pages.items():
        assert command.epilog == f"Example: rdiverse {EXAMPLES[path]}"
        assert shlex.split(EXAMPLES[path])[: len(path.split())] == path.split()


@pytest.mark.parametrize("path", EXAMPLES)
def test_every_example_is_a_command_line_that_is_understood(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("my-run.jsonl").touch()
    words = shlex.split(EXAMPLES[path])
    commands(typer.main.get_command(app))[path].make_context(path, words[len(path.split()) :])


def commands(group: Any, prefix: str = "") -> dict[str, Any]:
    """Every command under a group, by its words."""
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        found |= commands(command, f"{prefix}{name} ") if hasattr(command, "commands") else {prefix + name: command}
    return found


def test_the_short_option_shows_help_everywhere():
    for command in ((), ("run",), ("memory",), ("memory", "stats"), ("pipeline", "compile")):
        assert "Usage: " in rdiverse(*command, "-h").stdout


def test_help_of_run_names_every_method():
    shown = "".join(rdiverse("run", "--help").stdout.split())
    assert all(method.replace(" ", "") in shown.replace("│", "") for method in Method)


def one_line(refused: subprocess.CompletedProcess[str], said: str, code: int = 2) -> None:
    assert refused.returncode == code, refused.stderr
    assert refused.stdout == ""
    assert refused.stderr.startswith("error: ")
    assert said in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


SERVE = ("--config", str(LOCAL), "--listen")


def test_listening_nowhere_is_refused_in_one_line():
    one_line(rdiverse("serve", "solver", *SERVE, "localhost"), "--listen 'localhost': must be HOST:PORT, as in 127.0.0.1:9000")
    one_line(rdiverse("serve", "solver", *SERVE, "203.0.113.7:9000"), "--listen: cannot listen on 203.0.113.7:9000")


def test_a_taken_port_is_named():
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        one_line(rdiverse("serve", "solver", *SERVE, f"127.0.0.1:{port}"), f"--listen: cannot listen on 127.0.0.1:{port}")
        taken = rdiverse("serve", "coder", *SERVE, "127.0.0.1:0", "--metrics-port", str(port))
        one_line(taken, f"--metrics-port: cannot listen on 127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("RDIVERSE_MILVUS_URI", "", "RDIVERSE_MILVUS_URI must be set"),
        ("RDIVERSE_MILVUS_URI", "localhost:19530", "RDIVERSE_MILVUS_URI = 'localhost:19530': must be http://"),
        ("RDIVERSE_TOKENS_FILE", "/nowhere", "RDIVERSE_TOKENS_FILE = '/nowhere': there is no such file"),
        ("RDIVERSE_TLS_DIR", "/nowhere", "RDIVERSE_TLS_DIR = '/nowhere': there is no such file"),
        ("RDIVERSE_LOG_LEVEL", "loud", "RDIVERSE_LOG_LEVEL: must be debug, info, warning or error, not 'loud'"),
    ],
)
def test_the_diversity_service_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str):
    monkeypatch.setenv(variable, value)
    one_line(rdiverse("serve", "diversity", *SERVE, "127.0.0.1:0", "--metrics-port", str(free_ports(1, None)[0])), said)


def test_training_a_challenger_without_its_services_is_refused(tmp_path: Path):
    refused = rdiverse("train", "challenger", "--config", str(LOCAL), "--output", str(tmp_path / "out"))
    one_line(refused, "RDIVERSE_SOLVER_ADDRESS and RDIVERSE_DIVERSITY_ADDRESS must be set")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (("inference.engine=vllm",), "inference.engine = 'vllm': vLLM is not installed here"),
        (("solver.training.trackers=[wandb]",), "solver.training.trackers: wandb is not installed here"),
        (("encoder={kind: model, model: x}",), "RDIVERSE_ENCODER_ADDRESS must name a server that embeds"),
        (("method=base", "evaluation.benchmarks=[]"), "evaluation.benchmarks: must name one"),
        (("solver.sample=5",), "solver.sample: unknown field; did you mean samples? (on the command line)"),
    ],
)
def test_a_run_that_could_not_work_is_refused_and_leaves_no_folder(tmp_path: Path, overrides: tuple[str, ...], said: str):
    refused = rdiverse("run", "--config", str(LOCAL), "--workspace", str(tmp_path / "workspace"), *overrides)
    one_line(refused, said)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "command",
    [
        ("memory", "stats", "--address"),
        ("evaluate", "--benchmarks", "gsm8k", "--output", "never", "--address"),
    ],
)
def test_a_dead_address_is_told_within_seconds(command: tuple[str, ...]):
    address = f"127.0.0.1:{free_ports(1, None)[0]}"
    began = time.monotonic()
    one_line(rdiverse(*command, address), f"{address}: nobody answers there; waited 4 s", 1)
    assert time.monotonic() - began < 15, "four seconds of waiting, the rest is start-up"


def test_a_misspelt_test_set_is_answered_with_those_there_are():
    refused = rdiverse("evaluate", "--address", "127.0.0.1:9", "--benchmarks", "gsm9k", "--output", "never")
    one_line(refused, "benchmark gsm9k: is neither a file, nor name=<file>, nor one of amc23, ")
    assert refused.stderr.endswith("did you mean gsm8k?\n")


def test_compiling_a_pipeline_needs_no_name_and_says_what_it_wrote(tmp_path: Path):
    arguments = ["pipeline", "compile", "--iterations", "1", "--image-prefix", "registry.example/team"]
    made = subprocess.run(
        [sys.executable, "-m", "rdiverse.cli", *arguments], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (made.returncode, made.stdout) == (0, "pipeline of 1 iterations: rdiverse-1.yaml\n")
    assert "registry.example/team" in (tmp_path / "rdiverse-1.yaml").read_text()


def test_runs_are_listed_shown_and_given_as_json(tmp_path: Path):
    context = prepare(load_config(LOCAL, [f"workspace={tmp_path}"]))
    begin_session(context.folder)
    (line,) = rdiverse("runs", "--workspace", str(tmp_path)).stdout.splitlines()
    assert line.split() == ["r-diverse-seed0", "stopped", "0/3", "–"]
    with locked(context.folder.lock):
        (running,) = json.loads(rdiverse("runs", "--workspace", str(tmp_path), "--json").stdout)
    assert (running["state"], running["iteration"], running["iterations"], running["sampled"]) == ("running", -1, 3, None)
    assert json.loads(rdiverse("runs", "r-diverse-seed0", "--workspace", str(tmp_path), "--json").stdout)["state"] == "stopped"
    one_line(rdiverse("runs", "nobody", "--workspace", str(tmp_path)), "nobody: there is no such run")


def test_a_dry_run_prints_a_configuration_that_reads_back_and_touches_nothing(tmp_path: Path):
    made = rdiverse("run", "--config", str(LOCAL), "--dry-run", "--workspace", str(tmp_path / "none"), "solver.samples=7")
    assert made.returncode == 0, made.stderr
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "config.yaml").write_text(made.stdout)
    expected = load_config(LOCAL, ["solver.samples=7"], workspace=tmp_path / "none")
    assert load_config(tmp_path / "config.yaml") == expected
    wrong = rdiverse("run", "--config", str(LOCAL), "--dry-run", "--workspace", str(tmp_path), "model=/nowhere")
    one_line(wrong, "model = '/nowhere'")
