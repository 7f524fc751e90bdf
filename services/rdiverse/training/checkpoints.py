"""Resume checkpoints: one is complete once its mark is written, and the one before is deleted only then."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from rdiverse.runs.files import flush_folder, write_json

MARK = "complete.json"
INPUTS = "inputs.json"
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


def discard_stale(resume_dir: Path, inputs: dict[str, Any]) -> None:
    """Delete checkpoints of a phase that read something else than `inputs`, and half-written ones; note `inputs`."""
    path = resume_dir / INPUTS
    same = path.is_file() and json.loads(path.read_text(encoding="utf-8")) == inputs
    for checkpoint in _all(resume_dir):
        if not same or not (checkpoint / MARK).is_file():
            shutil.rmtree(checkpoint)
    write_json(path, inputs)


def last_complete(resume_dir: Path) -> Path | None:
    """The newest complete checkpoint; None when there is none."""
    return max((path for path in _all(resume_dir) if (path / MARK).is_file()), key=update, default=None)


def update(checkpoint: Path) -> int:
    """The optimiser update after which a checkpoint was saved."""
    return int(checkpoint.name.removeprefix(PREFIX))


def remove_all(resume_dir: Path) -> None:
    """Delete a phase's checkpoints and whatever lies with them."""
    shutil.rmtree(resume_dir, ignore_errors=True)


def _all(resume_dir: Path) -> list[Path]:
    return [path for path in resume_dir.glob(f"{PREFIX}*") if path.is_dir() and path.name.removeprefix(PREFIX).isdigit()]
