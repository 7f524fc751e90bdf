"""Runs a phase on this machine, under torchrun in a child process."""

import os
import subprocess
import sys
import time
from pathlib import Path

from rdiverse.config import RunConfig, load_config
from rdiverse.runs.children import stop
from rdiverse.runs.lifeline import held_lifeline
from rdiverse.runs.ports import PortsExhaustedError, free_ports
from rdiverse.training.launch.failure import TrainingFailed, failure_of
from rdiverse.training.launch.lifelines import OWN_LIFELINE
from rdiverse.training.launch.phase import Phase
from rdiverse.training.launch.result import PhaseResult, finished
from rdiverse.training.launch.signals import ended_by_signal

STARTED_VARIABLE = "RDIVERSE_TRAINING_STARTED"
"""Wall-clock time at which the launcher was called: start-up is measured from there."""

STOP_SECONDS = 10.0

CPU_ENVIRONMENT = {
    # One thread a process: more cost a small model's step twenty times over.
    "OMP_NUM_THREADS": "1",
    # glibc gives freed tensors back to the system and faults them in again at the next step unless told to keep them.
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
    "MALLOC_TOP_PAD_": str(64 * 2**20),
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "PYTHONUNBUFFERED": "1",
    # Ranks on one machine meet on loopback; by itself gloo listens on whatever address the host's name stands for.
    "GLOO_SOCKET_IFNAME": "lo",
    "NCCL_SOCKET_IFNAME": "lo",
}


class TorchrunLauncher:
    """Starts `torchrun` with as many processes as the configuration names, and ends it with this process."""

    def run(self, phase: Phase) -> PhaseResult:
        """Run a phase to its end (see Launcher)."""
        if result := finished(phase):
            return result
        started = time.time()
        phase.resume_dir.mkdir(parents=True, exist_ok=True)
        phase.log_path.parent.mkdir(parents=True, exist_ok=True)
        config = load_config(phase.config_path)
        with held_lifeline(phase.resume_dir / "lifeline", OWN_LIFELINE) as lifeline:
            environment = CPU_ENVIRONMENT | dict(os.environ)
            environment |= {**lifeline, STARTED_VARIABLE: repr(started)}
            with phase.log_path.open("ab") as log:
                begin = log.tell()
                code = self._run_child(_command(phase, config), environment, log.fileno())
        if (result := finished(phase)) is None:
            raise failure_of(
                phase.step, _lines_since(phase.log_path, begin), f"torchrun ended with exit code {code} and no weights"
            )
        return result

    def _run_child(self, command: list[str], environment: dict[str, str], output: int) -> int:
        child = subprocess.Popen(  # noqa: S603 - the command is ours
            command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        try:
            with ended_by_signal():
                return child.wait()
        finally:
            stop([child], STOP_SECONDS)


def _command(phase: Phase, config: RunConfig) -> list[str]:
    arguments = [
        f"--nproc-per-node={config.training(phase.role).processes}",
        "--rdzv-backend=loopback",
        f"--rdzv-endpoint=127.0.0.1:{_port(config)}",
        "--monitor-interval=0.1",
        f"--log-dir={os.devnull}",  # else every phase leaves an empty directory in /tmp
        "-m",
        "rdiverse.training.worker",
        str(phase.save()),
    ]
    return [sys.executable, "-m", "rdiverse.training.launch.torchrun_main", *arguments]


def _port(config: RunConfig) -> int:
    """Find a port for torchrun's rendezvous."""
    try:
        return free_ports(1, config.local.port_range)[0]
    except PortsExhaustedError as error:
        raise TrainingFailed(f"{error}; torchrun's rendezvous needs it") from error


def _lines_since(path: Path, begin: int) -> list[str]:
    with path.open("rb") as file:
        file.seek(begin)
        return file.read().decode(errors="replace").splitlines()
