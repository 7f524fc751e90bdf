"""What the Kubeflow UI shows of a step: small artifacts that describe, and point to, what stands in the run's folder."""

import json
from pathlib import Path

from kfp import dsl

from rdiverse.runs.manifest import StepRecord
from rdiverse.selfplay.roles import Role
from rdiverse.selfplay.steps import Step
from rdiverse_pipelines.context import RunContext


def describe_table(run: RunContext, record: StepRecord, artifact: dsl.Dataset) -> None:
    """Describe the first table that a step wrote."""
    name, digest = next(iter(record.outputs.items()))
    _write(artifact, {"path": str(run.folder.root / name), "sha256": digest, **_scalars(record)})


def describe_weights(run: RunContext, record: StepRecord, artifact: dsl.Model) -> None:
    """Describe published weights."""
    role = Role.CHALLENGER if record.step == Step.TRAIN_CHALLENGER else Role.SOLVER
    path = run.folder.weights(record.iteration, role)
    _write(artifact, {"path": str(path), "version": record.results["weights"], **_scalars(record)})


def describe_evaluation(run: RunContext, record: StepRecord, artifact: dsl.Metrics) -> None:
    """Put the headline figures of an evaluation into the UI's table."""
    name = next(iter(record.outputs))
    figures = json.loads((run.folder.root / name).read_text(encoding="utf-8"))
    for metric in ("accuracy_sampled", "accuracy_greedy", "worst_skill"):
        if figures[metric] is not None:
            artifact.log_metric(metric, figures[metric])


def describe_curation(record: StepRecord, artifact: dsl.Metrics) -> None:
    """Put what was measured of an iteration's questions into the UI's table; seeds are no measurement."""
    for metric, value in record.results.items():
        if metric != "seed" and isinstance(value, int | float):
            artifact.log_metric(metric, value)


def _scalars(record: StepRecord) -> dict[str, int | float | str]:
    return {key: value for key, value in record.results.items() if isinstance(value, int | float | str)}


def _write(artifact: dsl.Artifact, description: dict[str, int | float | str]) -> None:
    artifact.metadata.update(description)
    path = Path(artifact.path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
