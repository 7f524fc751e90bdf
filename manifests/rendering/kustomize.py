"""Kustomize folders: what all profiles share, what each has of its own, and monitoring for those who want it."""

import re
import shutil
from pathlib import Path

import yaml
from manifests.rendering.chart import HOOK, PROFILES, Object, profile_values, render

MONITORING = "monitoring.coreos.com/v1"
_HELM_LINES = re.compile(r"^ *(app\.kubernetes\.io/managed-by: Helm|helm\.sh/\S+: .*)\n", re.MULTILINE)


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as such."""


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)


def write(folder: Path, release: str, namespace: str, prefix: str) -> None:
    """Write base, overlays and components under `folder`, replacing what is there."""
    everything = {profile: _objects(profile, release, namespace, prefix) for profile in PROFILES}
    for name in ("base", "overlays", "components"):
        shutil.rmtree(folder / name, ignore_errors=True)
    first = everything[PROFILES[0]]
    shared = [each for each in first if all(each in objects for objects in everything.values())]
    _write(folder / "base", "Kustomization", [each for each in shared if not _monitors(each)])
    _write(folder / "components" / "monitoring", "Component", [each for each in shared if _monitors(each)])
    for profile, objects in everything.items():
        own = [each for each in objects if each not in shared]
        _write(folder / "overlays" / profile, "Kustomization", own, ["../../base"])


def _objects(profile: str, release: str, namespace: str, prefix: str) -> list[Object]:
    monitoring = {"monitoring": {"monitors": True, "rules": True, "dashboard": True}}
    objects = render(profile_values(profile, prefix) | monitoring, release, namespace)
    return [_without_helm(each) for each in objects if HOOK not in each["metadata"].get("annotations", {})]


def _without_helm(found: Object) -> Object:
    """What Helm says about itself belongs to no object that Helm does not keep."""
    text = yaml.safe_dump(found, sort_keys=False, width=10_000)
    found = yaml.safe_load(_HELM_LINES.sub("", text))
    if found["kind"] == "ConfigMap" and "data" in found:
        found["data"] = {key: _HELM_LINES.sub("", value) for key, value in found["data"].items()}
    if not found["metadata"].get("annotations", True):
        del found["metadata"]["annotations"]
    return found


def _monitors(found: Object) -> bool:
    return bool(found["apiVersion"] == MONITORING or found["metadata"]["labels"]["app.kubernetes.io/component"] == "monitoring")


def _write(folder: Path, kind: str, objects: list[Object], resources: list[str] | None = None) -> None:
    folder.mkdir(parents=True)
    names = []
    for each in objects:
        name = f"{each['kind'].lower()}-{each['metadata']['name']}.yaml"
        (folder / name).write_text(yaml.dump(each, Dumper=_Dumper, sort_keys=False, width=120), encoding="utf-8")
        names.append(name)
    version = "v1alpha1" if kind == "Component" else "v1beta1"
    kustomization = {
        "apiVersion": f"kustomize.config.k8s.io/{version}",
        "kind": kind,
        "resources": [*(resources or []), *sorted(names)],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization, sort_keys=False), encoding="utf-8")
