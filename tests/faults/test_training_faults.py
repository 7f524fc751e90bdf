"""Phases under torchrun whose processes and services are killed."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from safetensors.torch import load_file
from tests.support.training_models import metric_rows, write_model, write_phase
from tests.support.training_services import ROOT, addresses, free_port, services, start_services

from rdiverse.lm.weights import resolve_resource, weights_version
from rdiverse.selfplay.roles import Role
from rdiverse.training.launch import Phase, TrainingFailed, finished, launcher_from_environment

pytestmark = pytest.mark.timeout(900)  # processes start slowly on a busy machine

SHAPE: dict[str, Any] = {"steps": 12, "prompts_per_step": 8, "updates_per_step": 4, "rows_per_forward": 4}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("faults") / "model")


@pytest.fixture(scope="module")
def writer() -> Path:
    """A model whose completions hold questions: only those reach the services."""
    return Path(resolve_resource("pkg:rdiverse.nano/checkpoint"))


def start(phase: Phase, **environment: str) -> subprocess.Popen[bytes]:
    """The launcher as a process of its own, in a process group of its own."""
    phase.resume_dir.mkdir(parents=True, exist_ok=True)
    code = (
        "import sys; from pathlib import Path; from rdiverse.training.launch import Phase, launcher_from_environment as l;"
        "l().run(Phase.load(Path(sys.argv[1])))"
    )
    file = phase.output.parent / "phase.json"
    file.write_bytes(phase.save().read_bytes())
    return subprocess.Popen(
        [sys.executable, "-c", code, str(file)], cwd=ROOT, env=os.environ | environment, start_new_session=True,
        stderr=(phase.output.parent / "launcher.txt").open("ab"),
    )  # fmt: skip


def wait_for(condition: Callable[[], Any], seconds: float = 250) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def spread(one: Phase, other: Phase) -> float:
    """The largest difference between the weights that two phases published."""
    first, second = (load_file(phase.output / "model.safetensors") for phase in (one, other))
    return max((first[name] - second[name]).abs().max().item() for name in first)


def rows(phase: Phase) -> int:
    return len(metric_rows(phase)) if phase.metrics_path.exists() else 0


@pytest.mark.long
def test_kill_9_leaves_nobody_behind_and_the_next_start_goes_on_to_the_same_weights(model: Path, tmp_path: Path) -> None:
    whole = write_phase(tmp_path / "whole", model, **SHAPE)
    launcher_from_environment().run(whole)
    phase = write_phase(tmp_path / "killed", model, **SHAPE)
    for number, kill_at in enumerate((3, 6, 9)):
        launcher = start(phase)
        wait_for(lambda at=kill_at: rows(phase) >= at)
        family = [psutil.Process(launcher.pid), *psutil.Process(launcher.pid).children(recursive=True)]
        assert len(family) >= 3, "launcher, torchrun, worker"
        family[number].send_signal(signal.SIGKILL)
        _, alive = psutil.wait_procs(family, timeout=5)
        assert alive == []
        launcher.wait()
        assert finished(phase) is None
    result = launcher_from_environment().run(phase)
    assert result.resumed_steps >= 8
    assert result.version == weights_version(whole.output)
    assert [row["step"] for row in metric_rows(phase)] == list(range(1, 13))


@pytest.mark.long
def test_two_ranks_pay_as_one_does_and_resume_to_the_same_rewards_and_steps(model: Path, tmp_path: Path) -> None:
    alone = write_phase(tmp_path / "alone", model, **SHAPE)
    launcher_from_environment().run(alone)
    shape = SHAPE | {"processes": 2}
    whole = write_phase(tmp_path / "whole", model, **shape)
    launcher_from_environment().run(whole)
    for name in ("reward", "accuracy", "group_std", "equal_groups", "completion_tokens"):
        assert metric_rows(whole)[0][name] == pytest.approx(metric_rows(alone)[0][name], abs=1e-6), name
    phase = write_phase(tmp_path / "killed", model, **shape)
    launcher = start(phase)
    wait_for(lambda: rows(phase) >= 4)
    family = psutil.Process(launcher.pid).children(recursive=True)
    os.killpg(launcher.pid, signal.SIGKILL)  # does not reach torchrun's workers, which have sessions of their own
    assert psutil.wait_procs(family, timeout=5)[1] == []
    launcher.wait()
    result = launcher_from_environment().run(phase)
    assert result.steps == 12
    names = ("reward", "completion_tokens", "loss")
    for name in names:
        assert [row[name] for row in metric_rows(phase)] == pytest.approx([row[name] for row in metric_rows(whole)], abs=1e-5)
    print(f"largest difference of a weight: killed and resumed {spread(whole, phase):.1e}, one rank {spread(whole, alone):.1e}")
    assert spread(whole, phase) < 1e-5


@pytest.mark.long
def test_a_service_that_comes_back_after_20_seconds_costs_time_only(
    writer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = {"steps": 3, "sampling": {"max_tokens": 64}, "learning_rate": 1e-5}
    with services() as found:
        whole = write_phase(tmp_path / "whole", writer, Role.CHALLENGER, **shape)
        for name, value in found.items():
            monkeypatch.setenv(name, value)
        launcher_from_environment().run(replace(whole, solver_weights="served"))
    port = free_port()
    phase = replace(write_phase(tmp_path / "cut", writer, Role.CHALLENGER, **shape), solver_weights="served")
    process = start_services(port, seconds=1.5)
    launcher = start(phase, **addresses(port))
    wait_for(lambda: rows(phase) >= 1)
    time.sleep(0.7)  # the second step's questions are being answered
    process.kill()
    process.wait()
    time.sleep(20)
    assert launcher.poll() is None
    process = start_services(port)
    try:
        assert launcher.wait(120) == 0
    finally:
        process.kill()
    result = finished(phase)
    assert result
    assert result.seconds["reward"] > 20
    assert result.version == weights_version(whole.output), "the interrupted step was rewarded as if nothing had happened"


@pytest.mark.long
def test_a_service_that_is_gone_ends_training_in_bounded_time_and_leaves_the_checkpoint(
    writer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    for name, value in addresses(port).items():
        monkeypatch.setenv(name, value)
    phase = write_phase(
        tmp_path,
        writer,
        Role.CHALLENGER,
        steps=5,
        processes=2,
        rows_per_forward=8,
        learning_rate=1e-5,
        sampling={"max_tokens": 64},
    )
    text = phase.config_path.read_text().replace("timeout_seconds: 3600.0", "timeout_seconds: 10.0")
    phase.config_path.write_text(text)
    process = start_services(port, seconds=0.5)
    killed: list[float] = []

    def kill() -> None:
        wait_for(lambda: rows(phase) >= 2)
        process.kill()
        killed.append(time.monotonic())

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(TrainingFailed, match=r"train-challenger: TrainingError: .*the (Solver|diversity) service") as failure:
        launcher_from_environment().run(phase)
    killer.join()
    process.wait()
    assert time.monotonic() - killed[0] < 60, "10 s of the reward's time, and the end of all ranks"
    assert f"127.0.0.1:{port}" in failure.value.reason
    kept = list(phase.resume_dir.glob("checkpoint-*/complete.json"))
    assert len(kept) == 1
    with services() as found:
        for name, value in found.items():
            monkeypatch.setenv(name, value)
        result = launcher_from_environment().run(phase)
    assert result.resumed_steps >= 2
