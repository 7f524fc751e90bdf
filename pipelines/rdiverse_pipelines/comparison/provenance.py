"""By what a run was made: commits, machine, date."""

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import rdiverse
from rdiverse.runs.files import write_json
from rdiverse.runs.folder import RunFolder

UNKNOWN = "unknown"


def note_commit(run: RunFolder) -> None:
    """Put on record that the code as it stands now goes to work on a run."""
    known = _commits(run)
    now = _commit(Path(rdiverse.__file__).parent)
    if now not in known:
        write_json(run.root / "commits.json", [*known, now])


def provenance(run: RunFolder) -> dict[str, str]:
    """Of a run that ended on this machine. More than one commit: it was stopped and went on with other code."""
    ended = datetime.fromtimestamp(run.summary.stat().st_mtime, UTC)
    return {
        "commit": " ".join(_commits(run)),
        "machine": f"{_processor()}, {os.cpu_count()} cores",
        "finished": ended.isoformat(timespec="seconds"),
    }


def _commits(run: RunFolder) -> list[str]:
    """Every commit that worked on the run; `unknown` for what was done without a note."""
    path = run.root / "commits.json"
    if path.is_file():
        return list(json.loads(path.read_text(encoding="utf-8")))
    return [UNKNOWN] if run.events.exists() else []


def _commit(package: Path) -> str:
    """The commit of the code that runs, with `+` where the code differs from it; `unknown` where it is not in a checkout."""
    head = _git(package, "rev-parse", "--short=12", "HEAD")
    # An installed package may lie inside somebody else's checkout.
    if not head or not _git(package, "ls-files", "__init__.py"):
        return UNKNOWN
    return head + ("+" if _git(package, "status", "--porcelain", "--", ":/services", ":/pipelines", ":/configs") else "")


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603
            ["git", "-C", str(folder), *arguments],  # noqa: S607 - whichever git the user has
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _processor() -> str:
    """The processor's name as Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
