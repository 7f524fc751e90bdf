"""The pods of a pipeline's steps on a cluster: volumes, labels, where they run, how long, how often again."""

from dataclasses import dataclass
from typing import Any

from kfp import dsl, kubernetes

from rdiverse.selfplay.steps import Step
from rdiverse_pipelines.target import CLUSTER_VARIABLE

SETTINGS = "/etc/rdiverse/run"
CLIENT = "/etc/rdiverse/client"
WORKSPACE = "/workspace"
LABELS = {"app.kubernetes.io/name": "rdiverse", "app.kubernetes.io/component": "step"}
PIPELINE_RUN = ("RDIVERSE_PIPELINE_RUN", "metadata.labels['pipeline/runid']")

HOUR = 3600
TIMEOUTS = dict.fromkeys(Step, 24 * HOUR) | {
    Step.PREPARE: 6 * HOUR,  # may fetch a model
    Step.SERVE_BASE: 4 * HOUR,
    Step.TRAIN_CHALLENGER: 72 * HOUR,
    Step.TRAIN_SOLVER: 72 * HOUR,
    Step.SERVE_CHALLENGER: 4 * HOUR,
    Step.SERVE_SOLVER: 4 * HOUR,
    Step.REPORT: HOUR,
    Step.FINISH: HOUR,
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

    def equip(self, task: dsl.PipelineTask, step: Step, *, retries: bool) -> None:
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
        kubernetes.set_timeout(task, TIMEOUTS[step])
        if retries:
            task.set_retry(RETRIES, backoff_duration="30s", backoff_factor=2, backoff_max_duration="600s")
