"""Rendered objects for the tests of the chart, and what an API server that knows no unknown field would say of them."""

import copy
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
from kubernetes_validate.utils import all_versions
from manifests.rendering.chart import Object, embedded, merged, profile_values, render

from rdiverse.selfplay.roles import Role
from rdiverse.training.launch.phase import Phase
from rdiverse.training.launch.pytorchjob import pytorch_job
from tests.support.testdata import crds

VERSIONS = list(dict.fromkeys(all_versions()))[-3:]
"""The newest minor versions of Kubernetes that the validator knows."""
CUSTOM = {
    "InferenceService": "kserve-*-inferenceservices.yaml",
    "PyTorchJob": "training-operator-*-pytorchjobs.yaml",
    "PodMonitor": "prometheus-operator-*-podmonitors.yaml",
    "ServiceMonitor": "prometheus-operator-*-servicemonitors.yaml",
    "PrometheusRule": "prometheus-operator-*-prometheusrules.yaml",
}
MONITORING: Object = {"monitoring": {"monitors": True, "rules": True, "dashboard": True}}
SECURED: Object = {
    "tls": {"enabled": True, "certManager": {"enabled": True, "issuer": {"name": "ca"}}},
    "auth": {"tokensSecret": {"name": "tokens"}},
    "milvus": {"external": {"uri": "https://milvus.example", "tokenSecret": {"name": "m"}, "caSecret": {"name": "ca"}}},
    "hub": {"tokenSecret": {"name": "hub"}},
}
BIG: Object = {
    "diversity": {"read": {"replicas": 2, "autoscaling": {"enabled": True}}},
    "coder": {"storageUri": "s3://models/coder", "env": {"A_B": "c"}, "tolerations": [{"key": "gpu", "operator": "Exists"}]},
    "policy": {"nodeSelector": {"gpu": "h200"}, "priorityClassName": "high"},
    "image": {"pullSecrets": ["pull"], "tag": "1.2.3", "digests": {"training": "sha256:" + "0" * 64}},
    "workspace": {"existingClaim": "theirs"},
    "reflection": False,
    "networkPolicy": {"moreEgress": [{"to": [{"namespaceSelector": {}}], "ports": [{"port": 9000, "protocol": "TCP"}]}]},
}
RELEASES: dict[str, Object] = {
    "8gpu": profile_values("8gpu"),
    "4gpu": profile_values("4gpu"),
    "cpu": profile_values("cpu"),
    "8gpu, monitored": merged(profile_values("8gpu"), MONITORING),
    "cpu, monitored": merged(profile_values("cpu"), MONITORING),
    "8gpu, secured": merged(profile_values("8gpu"), SECURED),
    "4gpu, everything": merged(merged(merged(profile_values("4gpu"), MONITORING), SECURED), BIG),
}
"""Ways to install the chart: the profiles, and the profiles with more switched on."""


@cache
def _rendered(name: str) -> list[Object]:
    return render(RELEASES[name])


def rendered(name: str) -> list[Object]:
    """The objects of one of RELEASES, a run's own among them."""
    return copy.deepcopy(_rendered(name)) + copy.deepcopy(run_objects(_rendered(name)))


def run_objects(objects: list[Object]) -> list[Object]:
    """What a run makes of the templates in its ConfigMap."""
    paths = dict.fromkeys(
        ("config_path", "model", "output", "resume_dir", "log_path", "metrics_path", "events_path"), Path("/x")
    )
    phase = Phase(role=Role.SOLVER, iteration=1, seed=0, run="run", metrics_address="0.0.0.0:9100", **paths)
    template = embedded(objects, "trainer.yaml")
    gpus = int(template["spec"]["containers"][0]["resources"]["limits"].get("nvidia.com/gpu", 1))
    return [
        embedded(objects, "policy.yaml"),
        embedded(objects, "policy-service.yaml"),
        pytorch_job(phase, 2 * gpus, "rdiverse", template, {}),
    ]


def pod_specs(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    """(name, PodSpec) of everything that makes pods."""
    for each in objects:
        name = f"{each['kind']} {each['metadata']['name']}"
        spec = each.get("spec", {})
        if each["kind"] == "Pod":
            yield name, spec
        elif each["kind"] == "InferenceService":
            yield name, spec["predictor"]
        elif each["kind"] == "PyTorchJob":
            for role, replicas in spec["pytorchReplicaSpecs"].items():
                yield f"{name} {role}", replicas["template"]["spec"]
        elif "template" in spec:
            yield name, spec["template"]["spec"]


def crd_fault(found: Object) -> str:
    """What the first supported release to refuse a custom resource says of it, "" when every one takes it."""
    for release in crds(CUSTOM[found["kind"]]):
        error = jsonschema.exceptions.best_match(_validator(found["kind"], release).iter_errors(found))
        if error:
            return f"{release}: {found['kind']} {found['metadata']['name']}: {error.json_path}: {error.message}"
    return ""


@cache
def _validator(kind: str, release: str) -> Any:
    properties = crds(CUSTOM[kind])[release]["properties"]
    strict = {name: _strict(child) for name, child in properties.items() if name != "metadata"}
    return jsonschema.Draft202012Validator(
        {"type": "object", "additionalProperties": False, "properties": strict | {"metadata": {"type": "object"}}}
    )


def _strict(schema: Object) -> Object:
    """An OpenAPI v3 schema as JSON schema under which a field that would be pruned is an error."""
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    made = {key: value for key, value in schema.items() if not key.startswith("x-") and key not in {"description", "nullable"}}
    if "properties" in schema:
        made["properties"] = {name: _strict(child) for name, child in schema["properties"].items()}
    if isinstance(schema.get("additionalProperties"), dict):
        made["additionalProperties"] = _strict(schema["additionalProperties"])
    elif schema.get("type") == "object" and not schema.get("x-kubernetes-preserve-unknown-fields"):
        made["additionalProperties"] = False
    if "items" in schema:
        made["items"] = _strict(schema["items"])
    return made
