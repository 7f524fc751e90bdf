"""The PyTorchJob of a phase: the one place that knows the object (training-operator v1, kubeflow.org/v1)."""

import hashlib
import json
import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict
from types import MappingProxyType
from typing import Any

from rdiverse.training.launch.phase import Phase

CONTAINER = "pytorch"
"""The operator finds the trainer by this name."""
GPU = "nvidia.com/gpu"
"""Name of the GPU resource where none is given."""
TTL_SECONDS = 24 * 3600
"""A finished job and its logs are kept this long."""
LONGEST_NAME = 50
"""Of 63 characters; the rest is for the pods' endings, such as -worker-127."""
RUN_LABEL = "rdiverse.dev/run"
INSTANCE_LABEL = "app.kubernetes.io/instance"
PHASE_ANNOTATION = "rdiverse.dev/phase"
SUCCEEDED, FAILED = "Succeeded", "Failed"


class JobTemplateError(ValueError):
    """The pod template does not fit a training job; the text says how."""


def job_name(phase: Phase, release: str = "") -> str:
    """DNS-1035, at most 50 characters, the same for the same phase: whoever starts it again finds the running job.

    `release` comes first, cut where it must be: the digest still tells releases apart.
    """
    run = re.sub(r"[^a-z0-9]+", "-", phase.run.lower()).strip("-")
    name = f"train-{phase.role}-{phase.iteration}-{phase_digest(phase, release)}"
    if release:
        name = f"{release[: LONGEST_NAME - len(name) - 1].rstrip('-')}-{name}"
    return f"{name}-{run}"[:LONGEST_NAME].rstrip("-")


def phase_digest(phase: Phase, release: str = "") -> str:
    """Eight characters that tell phases apart."""
    names = {name: str(value) for name, value in asdict(phase).items()} | ({"release": release} if release else {})
    return hashlib.sha256(json.dumps(names, sort_keys=True).encode()).hexdigest()[:8]


def pytorch_job(
    phase: Phase,
    processes: int,
    namespace: str,
    template: dict[str, Any],
    environment: Mapping[str, str],
    release: str = "",
    gpu_resource: str = GPU,
    job_labels: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Build the object that trains a phase on `processes` ranks.

    `template` is a PodTemplateSpec whose spec has a container named pytorch: image, resources, volumes, security. Its limit
    of `gpu_resource` is the number of ranks a pod; without one all ranks share one pod. `environment` is added to the
    container's. `release`: the Helm release that the job belongs to, where there is one. `job_labels` are the job's alone,
    not its pods'. Raises JobTemplateError.
    """
    per_pod = _ranks_per_pod(template, processes, gpu_resource)
    nodes = processes // per_pod
    name = job_name(phase, release)
    labels = {
        "app.kubernetes.io/name": "rdiverse",
        "app.kubernetes.io/component": "trainer",
        "app.kubernetes.io/managed-by": "rdiverse-pipelines",
        "rdiverse.dev/role": str(phase.role),
        RUN_LABEL: label_value(phase.run),
        "rdiverse.dev/iteration": str(phase.iteration),
        **({INSTANCE_LABEL: release} if release else {}),
    }
    pod = _pod(phase, template, labels, environment)
    replicas = {"Master": _replicas(1, pod)}
    if nodes > 1:
        replicas["Worker"] = _replicas(nodes - 1, pod)
    return {
        "apiVersion": "kubeflow.org/v1",
        "kind": "PyTorchJob",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {**job_labels, **labels},
            "annotations": {PHASE_ANNOTATION: str(phase.file)},
        },
        "spec": {
            "nprocPerNode": str(per_pod),
            "pytorchReplicaSpecs": replicas,
            # A trainer that dies is started again by whoever runs the step, and resumes. No backoffLimit: when that is passed,
            # operators before 1.9.4 delete a failed pod, and with it what it died of.
            "runPolicy": {"cleanPodPolicy": "Running", "ttlSecondsAfterFinished": TTL_SECONDS},
        },
    }


def condition(job: dict[str, Any], kind: str) -> dict[str, Any] | None:
    """A job's condition of a kind, where it holds."""
    for each in (job.get("status") or {}).get("conditions") or []:
        if each["type"] == kind and each["status"] == "True":
            return dict(each)
    return None


def _replicas(count: int, pod: dict[str, Any]) -> dict[str, Any]:
    return {"replicas": count, "restartPolicy": "Never", "template": deepcopy(pod)}


def _pod(phase: Phase, template: dict[str, Any], labels: dict[str, str], environment: Mapping[str, str]) -> dict[str, Any]:
    pod = deepcopy(template)
    metadata = pod.setdefault("metadata", {})
    metadata["labels"] = {**metadata.get("labels", {}), **labels}
    container = _container(pod)
    # How many ranks and where they meet comes from the operator, in the PET_ variables that torchrun reads.
    container["command"] = ["python", "-m", "torch.distributed.run"]
    container["args"] = ["-m", "rdiverse.training.worker", str(phase.file)]
    given = {entry["name"] for entry in container.get("env", [])}
    container["env"] = [
        *container.get("env", []),
        *({"name": name, "value": value} for name, value in sorted(environment.items()) if name not in given),
    ]
    if phase.metrics_address:
        port = int(phase.metrics_address.rpartition(":")[2])
        container["ports"] = [*container.get("ports", []), {"name": "metrics", "containerPort": port}]
    return pod


def _container(pod: dict[str, Any]) -> dict[str, Any]:
    containers = (pod.get("spec") or {}).get("containers") or []
    for container in containers:
        if container.get("name") == CONTAINER:
            return container  # type: ignore[no-any-return]
    raise JobTemplateError(
        f"the pod template has no container named {CONTAINER!r}: {[each.get('name') for each in containers]}"
    )


def _ranks_per_pod(template: dict[str, Any], processes: int, gpu_resource: str) -> int:
    limits = (_container(template).get("resources") or {}).get("limits") or {}
    gpus = int(limits.get(gpu_resource, 0))
    if gpus == 0 or gpus >= processes:
        return processes
    if processes % gpus:
        raise JobTemplateError(f"{processes} processes do not divide into pods of {gpus} GPUs")
    return gpus


def label_value(text: str) -> str:
    """`text` as the value of a label: at most 63 characters, the ends alphanumeric."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", text)[:63].strip("-_.")
