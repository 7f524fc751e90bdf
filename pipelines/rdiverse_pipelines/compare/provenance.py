"""By what a run was made: commit, machine, date."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import rdiverse


def provenance(summary: Path) -> dict[str, str]:
    """Of a run that ended on this machine when `summary` was written."""
    ended = datetime.fromtimestamp(summary.stat().st_mtime, UTC)
    return {
        "commit": _commit(Path(rdiverse.__file__).parent),
        "machine": f"{_processor()}, {os.cpu_count()} cores",
        "finished": ended.isoformat(timespec="seconds"),
    }


def _commit(folder: Path) -> str:
    """The commit of the code that runs, with `+` where the code differs from it; `unknown` outside a checkout."""
    git = ["git", "-C", str(folder)]
    try:
        head = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True)  # noqa: S603
        changed = subprocess.run([*git, "status", "--porcelain", "--", "."], capture_output=True, text=True, check=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")


def _processor() -> str:
    """The processor's name as Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
