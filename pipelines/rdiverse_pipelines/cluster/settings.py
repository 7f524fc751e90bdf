"""What the chart tells a run: the release, and the templates of what the run creates."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rdiverse.config.cluster import ClusterConfig, load_cluster
from rdiverse.config.load import ConfigError, read_mapping

AUTOSCALER = "serving.kserve.io/autoscalerClass"


@dataclass(frozen=True)
class ReleaseSettings:
    """The ConfigMap `<release>-run`, as it is mounted."""

    cluster: ClusterConfig
    policy: dict[str, Any]
    """An InferenceService: the template of a run's Challenger and Solver."""
    service: dict[str, Any]
    """A headless Service: the template of what such an InferenceService is found by."""
    trainer: dict[str, Any]
    """The trainer's PodTemplateSpec."""

    @classmethod
    def read(cls, cluster: Path) -> "ReleaseSettings":
        """Read cluster.yaml and the templates beside it. Raises ConfigError."""
        files = ("policy.yaml", "policy-service.yaml", "trainer.yaml")
        settings = cls(load_cluster(cluster), *(read_mapping(cluster.with_name(name)) for name in files))
        autoscaler = (settings.policy.get("metadata", {}).get("annotations") or {}).get(AUTOSCALER)
        if autoscaler != "none":
            # KServe takes minReplicas for the number of pods under this class alone; under `external` it sets none at all.
            raise ConfigError(f"{cluster.with_name('policy.yaml')}: annotation {AUTOSCALER} = {autoscaler!r}: must be none")
        return settings
