"""The deployment target of a run, one machine or a cluster: what differs between them, and the one function that decides."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from rdiverse.runs.folder import RunFolder
from rdiverse.selfplay.roles import Role
from rdiverse.selfplay.steps import Step
from rdiverse.training.launch import Launcher
from rdiverse_pipelines.policy import Policy

CLUSTER_VARIABLE = "RDIVERSE_CLUSTER"
"""Path of the release's cluster.yaml; every compiled pipeline sets it for its steps."""
LOCAL_SIGN = "RDIVERSE_SOLVER_ADDRESS"
"""Set by whoever has started the servers itself."""


class DeploymentTarget(Protocol):
    """Servers and trainers of one run."""

    @property
    def metrics_address(self) -> str:
        """host:port on which a trainer serves its metrics; empty: none."""

    def address(self, service: str) -> str:
        """Where challenger, solver or diversity answers. Raises StepError when nobody said."""

    def launcher(self) -> Launcher:
        """What trains a phase here."""

    def ensure_serving(self, phase: Step, t: int, policies: Mapping[Role, Policy]) -> None:
        """Return when the servers that a phase of iteration t needs are up, serving these weights, and no others hold a GPU.

        Asks what is there and changes only what differs, so that it may be called again at any time. Raises StepError.
        """

    def finish(self) -> list[str]:
        """Stop whatever the run still has running that nobody else stops; gives their names."""


def cluster_file() -> Path | None:
    """The release's cluster.yaml when this process is a step on a cluster, else None.

    A compiled pipeline runs on one machine too: there, whoever runs it has started the servers and says where they are.
    """
    path = os.environ.get(CLUSTER_VARIABLE)
    return Path(path) if path and not os.environ.get(LOCAL_SIGN) else None


def deployment_target(folder: RunFolder) -> DeploymentTarget:
    """The servers and trainers of a run. Raises ConfigError for a release whose settings cannot be read."""
    settings = cluster_file()
    if settings is None:
        from rdiverse_pipelines.local.target import LocalTarget

        return LocalTarget()
    from rdiverse_pipelines.cluster.target import ClusterTarget

    return ClusterTarget.of(folder, settings)
