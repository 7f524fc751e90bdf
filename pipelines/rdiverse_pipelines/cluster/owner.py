"""Which pipeline run works on a run's folder. The newest does: an older one stops at its next step and cleans nothing up."""

import json
import os

from rdiverse.runs.files import write_json
from rdiverse.runs.folder import RunFolder
from rdiverse.runs.manifest import StepError

VARIABLE = "RDIVERSE_PIPELINE_RUN"
"""Kubeflow's id of the pipeline run, which the compiled pipeline takes from the pod's own label."""


def take(folder: RunFolder) -> None:
    """Let this pipeline run own the folder."""
    write_json(folder.root / "owner.json", {"pipeline_run": os.environ.get(VARIABLE, "")})


def owner(folder: RunFolder) -> str:
    """The pipeline run that owns the folder; empty: none."""
    path = folder.root / "owner.json"
    return str(json.loads(path.read_text(encoding="utf-8"))["pipeline_run"]) if path.is_file() else ""


def owned(folder: RunFolder) -> bool:
    """Whether this pipeline run owns the folder."""
    return owner(folder) == os.environ.get(VARIABLE, "")


def check(folder: RunFolder) -> None:
    """Raise StepError when another pipeline run has taken the folder over."""
    if not owned(folder):
        raise StepError(
            f"{folder.root}: pipeline run {owner(folder) or 'unknown'} has taken this run over; this one"
            f" ({os.environ.get(VARIABLE, 'unknown')}) stops and leaves everything to it"
        )
