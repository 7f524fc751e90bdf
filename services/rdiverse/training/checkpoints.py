"""Resume checkpoints: one is complete once its mark is written, and the one before is deleted only then."""

import os
import shutil
from pathlib import Path

from rdiverse.runs.files import flush_folder, write_json

MARK = "complete.json"
PREFIX = "checkpoint-"


def folder(resume_dir: Path, number: int) -> Path:
    """Where the trainer saves after optimiser update `number`."""
    return resume_dir / f"{PREFIX}{number}"


def complete(checkpoint: Path) -> None:
    """Flush a checkpoint to disk, mark it complete and delete all others."""
    for path in checkpoint.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    flush_folder(checkpoint)
    write_json(checkpoint / MARK, {"update": update(checkpoint)})
    for other in _all(checkpoint.parent):
        if other != checkpoint:
            shutil.rmtree(other)


def last_complete(resume_dir: Path) -> Path | None:
    """The newest complete checkpoint; None when there is none."""
    return max((path for path in _all(resume_dir) if (path / MARK).is_file()), key=update, default=None)


def sweep_incomplete(resume_dir: Path) -> None:
    """Delete what was being written when the process died."""
    for path in _all(resume_dir):
        if not (path / MARK).is_file():
            shutil.rmtree(path)


def update(checkpoint: Path) -> int:
    """The optimiser update after which a checkpoint was saved."""
    return int(checkpoint.name.removeprefix(PREFIX))


def remove_all(resume_dir: Path) -> None:
    """Delete a phase's checkpoints and whatever lies with them."""
    shutil.rmtree(resume_dir, ignore_errors=True)


def _all(resume_dir: Path) -> list[Path]:
    return [path for path in resume_dir.glob(f"{PREFIX}*") if path.is_dir() and path.name.removeprefix(PREFIX).isdigit()]
