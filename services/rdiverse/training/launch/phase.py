"""What a trainer is told, as a file: the same for a child process and for a pod that shares the run's folder."""

import json
from dataclasses import dataclass, fields
from pathlib import Path

from pydantic import TypeAdapter

from rdiverse.runs.files import write_json
from rdiverse.selfplay.roles import Role
from rdiverse.selfplay.steps import TRAINING, Step


@dataclass(frozen=True)
class Phase:
    """One training phase of one iteration."""

    role: Role
    iteration: int
    """From 1."""
    config_path: Path
    """The resolved configuration, as `rdiverse.config.dump_config` writes it."""
    model: Path
    """The weights that the phase starts from, which are also the reference of its KL term."""
    output: Path
    """Where the trained weights are published (`rdiverse.lm.weights.publish`)."""
    resume_dir: Path
    """Resume checkpoints and the launcher's own files; deleted when the weights are published."""
    log_path: Path
    """Receives what the trainer prints."""
    metrics_path: Path
    """Receives one JSON object a step (appended)."""
    events_path: Path
    """Receives progress (`rdiverse.runs.events`)."""
    seed: int
    """Everything random in the phase derives from it."""
    run: str = ""
    """Name of the run's memory (Challenger only)."""
    solver_weights: str = ""
    """Version of the weights that must answer in the Challenger's reward; empty: any."""
    dataset: Path | None = None
    """Parquet with columns question and answer (Solver only)."""
    metrics_address: str = ""
    """host:port on which rank 0 serves Prometheus metrics; empty: none."""

    @property
    def step(self) -> Step:
        """The phase's name among the pipeline's steps."""
        return TRAINING[self.role]

    @property
    def result_path(self) -> Path:
        """Beside the weights, so that their version depends on nothing but the weights."""
        return self.output.with_name(f"{self.output.name}.result.json")

    @property
    def file(self) -> Path:
        """Where `save` puts the phase for the trainer to read."""
        return self.resume_dir / "phase.json"

    def save(self) -> Path:
        """Write the phase to `file`, for the trainer."""
        write_json(self.file, TypeAdapter(Phase).dump_python(self, mode="json"))
        return self.file

    @classmethod
    def load(cls, path: Path) -> "Phase":
        """Read what `save` wrote. Raises ValueError for anything else."""
        data = json.loads(path.read_text(encoding="utf-8"))
        known = {field.name for field in fields(cls)}
        if not isinstance(data, dict) or set(data) != known:
            raise ValueError(f"{path}: is not a training phase")
        return TypeAdapter(cls).validate_python(data)
