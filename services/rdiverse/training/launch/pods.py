"""What the pods of a job say about how it fares."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

STUCK = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError", "CreateContainerError"}
"""Reasons for waiting that no trainer recovers from by itself, at most after a few retries of the node."""
STUCK_AT_ONCE = {"InvalidImageName"}


@dataclass(frozen=True)
class Trouble:
    """Why a pod does not run."""

    pod: str
    reason: str
    """As Kubernetes names it, as in OOMKilled."""
    message: str
    final: bool
    """Whether waiting cannot help."""

    def __str__(self) -> str:
        return f"pod {self.pod}: {self.reason}" + (f": {self.message}" if self.message else "")


def troubles(pods: Sequence[Any]) -> list[Trouble]:
    """What is wrong with the pods (kubernetes.client V1Pod), the most telling first."""
    found = [trouble for pod in pods for trouble in _of_pod(pod)]
    return sorted(found, key=lambda trouble: (not trouble.final, trouble.reason == "Error"))


def _of_pod(pod: Any) -> Iterator[Trouble]:
    name, status = pod.metadata.name, pod.status
    statuses = [*(status.init_container_statuses or []), *(status.container_statuses or [])]
    for container in statuses:
        ended, waiting = container.state.terminated, container.state.waiting
        if ended and ended.exit_code:
            details = f"exit code {ended.exit_code}" + (f", {ended.message.strip()}" if ended.message else "")
            yield Trouble(name, ended.reason or "Error", details, final=True)
        if waiting and waiting.reason in STUCK:
            yield Trouble(name, waiting.reason, waiting.message or "", final=waiting.reason in STUCK_AT_ONCE)
    if status.phase == "Failed" and status.reason:
        yield Trouble(name, status.reason, status.message or "", final=True)
    for condition in status.conditions or []:
        if condition.type == "PodScheduled" and condition.status == "False":
            yield Trouble(name, condition.reason or "Unschedulable", condition.message or "", final=False)
