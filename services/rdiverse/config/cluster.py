"""What a run must know of the release it runs in: written by the chart as cluster.yaml, read by the pipeline's steps."""

from pathlib import Path

from pydantic import Field, ValidationError, model_validator

from rdiverse.config.base import Section
from rdiverse.config.load import ConfigError, faults, read_mapping
from rdiverse.selfplay.steps import PHASES


class Shares(Section):
    """A number for each consumer of GPUs: replicas of the servers, training jobs of the trainer."""

    trainer: int = Field(0, ge=0, le=1024)
    challenger: int = Field(0, ge=0, le=1024)
    solver: int = Field(0, ge=0, le=1024)
    coder: int = Field(0, ge=0, le=1024)
    encoder: int = Field(0, ge=0, le=1024)

    def gpus(self, each: "Shares") -> int:
        """GPUs that these replicas take, when one of each takes `each`."""
        return sum(getattr(self, name) * getattr(each, name) for name in type(self).model_fields)


class Addresses(Section):
    """Where the services that belong to the release answer."""

    diversity: str = Field(min_length=1)
    coder: str = Field(min_length=1)
    encoder: str | None = None
    """None: programs are embedded in the diversity service's process."""


class ClusterConfig(Section):
    """One release of the chart, as its pipeline runs see it."""

    release: str = Field(pattern=r"^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$")
    """Name of the Helm release; everything a run creates begins with it."""
    namespace: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
    workspace: Path = Path("/workspace")
    """Where the shared volume is mounted, in steps, trainers and servers alike."""
    addresses: Addresses
    server_port: int = Field(9000, ge=1, le=65535)
    """gRPC port of every Challenger and Solver pod."""
    gpus: int = Field(0, ge=0, le=4096)
    """GPUs that the release may hold at once; 0: it runs on CPUs, and the plan is about replicas only."""
    gpus_each: Shares = Shares()
    """GPUs of one replica of each server and of one training job."""
    gpu_resource: str = Field("nvidia.com/gpu", min_length=1)
    """What Kubernetes calls a GPU."""
    job_labels: dict[str, str] = Field(default_factory=dict)
    """Labels of training jobs besides our own."""
    plan: dict[str, Shares]
    """Replicas by phase (`PHASES`). A server at 0 is stopped before the phase and brought back for the next that needs it."""
    scale_seconds: float = Field(1800, gt=0)
    """Servers that have not come or gone by then fail the step."""
    weights_seconds: float = Field(1800, gt=0)
    """Replicas that do not report the new weights by then are rolled back."""

    @model_validator(mode="after")
    def _plan_fits(self) -> "ClusterConfig":
        missing = [phase for phase in PHASES if phase not in self.plan]
        if missing:
            raise ValueError(f"plan: no entry for {', '.join(missing)}")
        if unknown := self.plan.keys() - set(PHASES):
            raise ValueError(f"plan: unknown phase {', '.join(sorted(unknown))}; phases are {', '.join(PHASES)}")
        for phase, shares in self.plan.items():
            needed = shares.gpus(self.gpus_each)
            if needed > self.gpus:
                raise ValueError(f"plan.{phase}: takes {needed} GPUs of {self.gpus}")
        return self


def load_cluster(path: Path) -> ClusterConfig:
    """Read cluster.yaml. Raises ConfigError naming file, field and fault."""
    try:
        return ClusterConfig.model_validate(read_mapping(path))
    except ValidationError as error:
        raise ConfigError("\n".join(f"{path}: {line}" for line in faults(error))) from error
