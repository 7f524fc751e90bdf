"""The objects that a run creates, from the chart's templates. Pure: nothing here talks to the cluster."""

import hashlib
import re
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from rdiverse.config.load import ConfigError
from rdiverse.runs.folder import RunFolder
from rdiverse.selfplay.roles import Role
from rdiverse.training.launch.pytorchjob import INSTANCE_LABEL, RUN_LABEL, label_value
from rdiverse_pipelines.cluster.settings import ReleaseSettings
from rdiverse_pipelines.policy import Policy

ROLE_LABEL = "rdiverse.dev/role"
WEIGHTS = "rdiverse.dev/weights"
"""Annotation of the pods: a change of weights is a change of the pod template."""
STOP = "serving.kserve.io/stop"
LONGEST_NAME = 45
"""The pods' names have endings of their own."""
LONGEST_HOST = 63
"""KServe's `<name>-predictor-<namespace>` is one label of DNS, though nobody looks it up."""

Object = dict[str, Any]


@dataclass(frozen=True)
class RunObjects:
    """Names, labels and objects of one run in one release."""

    settings: ReleaseSettings
    folder: RunFolder

    @property
    def release(self) -> str:
        """Name of the Helm release."""
        return self.settings.cluster.release

    def name(self, role: Role) -> str:
        """`<release>-<run>-<role>`, DNS-1035; cut and with a digest where it is longer than the namespace leaves room for.

        Raises ConfigError: the namespace leaves none.
        """
        run, namespace = self.folder.run_id, self.settings.cluster.namespace
        room = min(LONGEST_NAME, LONGEST_HOST - len(f"-predictor-{namespace}"))
        slug = re.sub(r"[^a-z0-9]+", "-", run).strip("-")
        name = f"{self.release}-{slug}-{role}"
        if slug == run and len(name) <= room:
            return name
        digest = hashlib.sha256(f"{self.release}/{run}".encode()).hexdigest()[:8]
        left = room - len(f"-{digest}-{role}")
        name = f"{self.release}-{slug}"[:left].rstrip("-") + f"-{digest}-{role}" if left > 0 else f"{role[0]}-{digest}"
        if len(name) > room:
            most = LONGEST_HOST - len(f"-predictor-{name}")
            raise ConfigError(
                f"namespace {namespace}: has {len(namespace)} characters, and KServe's names leave room for {most}"
            )
        return name

    def headless(self, role: Role) -> str:
        """Name of the headless Service of a role."""
        return f"{self.name(role)}-headless"

    def server_name(self, role: Role) -> str:
        """The role's name in the cluster's DNS, which its certificate bears."""
        return f"{self.headless(role)}.{self.settings.cluster.namespace}.svc"

    def labels(self, role: Role | None = None) -> dict[str, str]:
        """What the run's objects are found by; with a role, those of this role."""
        labels = {
            "app.kubernetes.io/name": "rdiverse",
            INSTANCE_LABEL: self.release,
            RUN_LABEL: label_value(self.folder.run_id),
        }
        return labels | {"app.kubernetes.io/component": "policy", ROLE_LABEL: role} if role else labels

    def service(self, role: Role) -> Object:
        """The headless Service by which all replicas of a role are found."""
        service = deepcopy(self.settings.service)
        metadata = service.setdefault("metadata", {})
        metadata |= {"name": self.headless(role), "namespace": self.settings.cluster.namespace}
        metadata["labels"] = {**(metadata.get("labels") or {}), **self.labels(role)}
        spec = service.setdefault("spec", {})
        spec["selector"] = {**(spec.get("selector") or {}), **self.labels(role)}
        return service

    def inference_service(self, role: Role, policy: Policy, replicas: int) -> Object:
        """The InferenceService of so many replicas that serves a policy. Raises ConfigError: the template does not fit."""
        service = deepcopy(self.settings.policy)
        labels = self.labels(role)
        metadata = service.setdefault("metadata", {})
        metadata |= {"name": self.name(role), "namespace": self.settings.cluster.namespace}
        metadata["labels"] = {**(metadata.get("labels") or {}), **labels}
        predictor = service["spec"]["predictor"]
        predictor["labels"] = {**(predictor.get("labels") or {}), **labels}
        predictor["annotations"] = {**(predictor.get("annotations") or {}), WEIGHTS: policy.version}
        predictor |= {"minReplicas": replicas, "maxReplicas": replicas}
        words = {"ROLE": role, "CONFIG": str(self.folder.config), "WEIGHTS": str(policy.path)}
        container = predictor["containers"][0]
        missing = words.keys() - set(container.get("args") or [])
        if missing:
            raise ConfigError(f"policy.yaml: the container's args lack {', '.join(sorted(missing))}: {container.get('args')}")
        container["args"] = [words.get(word, word) for word in container["args"]]
        return service


def selector(labels: dict[str, str]) -> str:
    """Labels as the API takes them."""
    return ",".join(f"{name}={value}" for name, value in sorted(labels.items()))


def annotations(service: Object) -> dict[str, str]:
    """The annotations of an InferenceService."""
    return service["metadata"].get("annotations") or {}


def replicas(service: Object | None) -> int:
    """How many replicas an InferenceService is to have."""
    if service is None or annotations(service).get(STOP) == "true":
        return 0
    return int(service["spec"]["predictor"].get("minReplicas", 1))


def scaled(count: int) -> Object:
    """The patch that gives an InferenceService so many replicas. Zero is KServe's own way to stop one."""
    if count == 0:
        return {"metadata": {"annotations": {STOP: "true"}}}
    return {
        "metadata": {"annotations": {STOP: None}},
        "spec": {"predictor": {"minReplicas": count, "maxReplicas": count}},
    }
