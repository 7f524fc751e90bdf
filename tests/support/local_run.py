"""Small real runs of `rdiverse run`, watched from outside."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

LOCAL = Path(__file__).parents[2] / "configs" / "local.yaml"

SMALL = (
    "challenger.pool=48",
    "challenger.training.steps=2",
    "challenger.training.prompts_per_step=8",
    "challenger.training.rows_per_forward=32",
    "solver.training.steps=2",
    "solver.training.prompts_per_step=8",
    "solver.training.rows_per_forward=64",
    "solver.min_questions=1",
    "evaluation.samples=2",
)
"""A run that goes through every step in little time."""


def command(workspace: Path, *arguments: str) -> list[str]:
    """The command line of a small run."""
    return [sys.executable, "-m", "rdiverse.cli", "run", "-c", str(LOCAL), "--workspace", str(workspace), *arguments, *SMALL]


def run_to_end(workspace: Path, *arguments: str, code: int = 0, timeout: float = 280) -> subprocess.CompletedProcess[str]:
    """Run to the end and assert the exit code."""
    done = subprocess.run(command(workspace, *arguments), capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == code, f"{done.stdout}\n{done.stderr}"
    return done


@contextmanager
def started(workspace: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a run in a process group of its own."""
    with (workspace / "command.log").open("ab") as log:
        process = subprocess.Popen(command(workspace, *arguments), stdout=log, stderr=log, start_new_session=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(60)


def events(root: Path) -> list[dict[str, Any]]:
    """The run's events so far."""
    path = root / "events.jsonl"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def wait_for(
    process: subprocess.Popen[bytes], root: Path, seen: Callable[[dict[str, Any]], bool], after: int = 0, seconds: float = 120
) -> None:
    """Wait until an event after the first `after` ones fits."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if any(seen(event) for event in events(root)[after:]):
            return
        if process.poll() is not None:
            pytest.fail(f"the run ended with status {process.returncode} before the event came")
        time.sleep(0.02)
    pytest.fail("the event did not come")


def family(root: Path) -> list[psutil.Process]:
    """Every living process that the run started, at whatever depth and in whatever session: all know its lifeline."""
    lifeline = f"RDIVERSE_LIFELINE={root.resolve() / 'lifeline'}"
    found = []
    for process in psutil.process_iter():
        try:
            environment = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
            if lifeline.encode() in environment and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


def listening_ports(processes: list[psutil.Process]) -> set[int]:
    """Ports that these processes listen on."""
    ports = set()
    for process in processes:
        try:
            ports |= {c.laddr.port for c in process.connections("inet") if c.status == psutil.CONN_LISTEN}
        except psutil.NoSuchProcess:
            continue
    return ports


def ports_in_use() -> set[int]:
    """Every port of the machine that somebody listens on."""
    return {c.laddr.port for c in psutil.net_connections("inet") if c.status == psutil.CONN_LISTEN}


def wait_until_gone(root: Path, ports: set[int], seconds: float = 5) -> None:
    """Assert that within `seconds` no process of the run lives and none of its ports is taken."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        left = family(root)
        if not left and not ports & ports_in_use():
            return
        time.sleep(0.05)
    pytest.fail(f"left behind: {[' '.join(process.cmdline()) for process in left]}, ports {ports & ports_in_use()}")


def manifests(root: Path) -> dict[str, str]:
    """Path -> content of every finished step's record."""
    return {str(path.relative_to(root)): path.read_text() for path in sorted(root.glob("manifests/*/*.json"))}
