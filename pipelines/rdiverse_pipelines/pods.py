"""The pods of a pipeline's steps on a cluster: volumes, labels, where they run, how long, how often again."""

from dataclasses import dataclass
from typing import Any

from kfp import dsl, kubernetes

from rdiverse_pipelines.where import CLUSTER_VARIABLE

SETTINGS = "/etc/rdiverse/run"
CLIENT = "/etc/rdiverse/client"
WORKSPACE = "/workspace"
LABELS = {"app.kubernetes.io/name": "rdiverse", "app.kubernetes.io/component": "step"}
PIPELINE_RUN = ("RDIVERSE_PIPELINE_RUN", "metadata.labels['pipeline/runid']")

HOUR = 3600
TIMEOUTS = {
    "prepare": 6 * HOUR,  # may fetch a model
    "roll_out_base": 4 * HOUR,
    "evaluate_base": 24 * HOUR,
    "train_challenger": 72 * HOUR,
    "train_solver": 72 * HOUR,
    "roll_out_challenger": 4 * HOUR,
    "roll_out_solver": 4 * HOUR,
    "propose": 24 * HOUR,
    "label": 24 * HOUR,
    "curate": 24 * HOUR,
    "evaluate": 24 * HOUR,
    "report": HOUR,
    "finish": HOUR,
}
"""Seconds after which a step's pod is ended. They are there for what hangs: nothing that works comes near them."""
RETRIES = 3


@dataclass(frozen=True)
class Pods:
    """What the pods of one pipeline have in common; every field is a pipeline's parameter."""

    settings: Any
    workspace: Any
    client_secret: Any
    node_selector: Any
    tolerations: Any

    def equip(self, task: dsl.PipelineTask, name: str, *, retries: bool) -> None:
        """Give a step's pod what it needs. On one machine all of it but the retries means nothing."""
        task.set_env_variable(CLUSTER_VARIABLE, f"{SETTINGS}/cluster.yaml")
        kubernetes.use_config_map_as_volume(task, self.settings, SETTINGS)
        kubernetes.mount_pvc(task, self.workspace, WORKSPACE)
        kubernetes.use_secret_as_volume(task, self.client_secret, CLIENT, optional=True)
        kubernetes.add_node_selector_json(task, self.node_selector)
        kubernetes.add_toleration_json(task, self.tolerations)
        for label, value in LABELS.items():
            kubernetes.add_pod_label(task, label, value)
        kubernetes.use_field_path_as_env(task, *PIPELINE_RUN)
        kubernetes.set_timeout(task, TIMEOUTS[name])
        if retries:
            task.set_retry(RETRIES, backoff_duration="30s", backoff_factor=2, backoff_max_duration="600s")
