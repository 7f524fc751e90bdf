"""The chart as Python objects: rendered by Helm's own library, no cluster asked."""

from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[2]
CHART = REPOSITORY / "helm" / "rdiverse"
PROFILES = ("8gpu", "4gpu", "cpu")

Object = dict[str, Any]

HOOK = "helm.sh/hook"
EXTERNAL_MILVUS = {"external": {"uri": "http://milvus.milvus.svc:19530"}}


def profile_values(profile: str, prefix: str = "registry.example.com/team") -> Object:
    """Values of a profile with what it leaves open: where the images are, and a Milvus where none is embedded."""
    values: Object = yaml.safe_load((CHART / f"values-{profile}.yaml").read_text(encoding="utf-8"))
    values.setdefault("image", {})["prefix"] = prefix
    return {"milvus": EXTERNAL_MILVUS} | values


def merged(values: Object, changes: Object) -> Object:
    """`values` with `changes` over them, section by section, as `--set` does."""
    result = dict(values)
    for key, value in changes.items():
        before = result.get(key)
        result[key] = merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return result


def render_files(values: Object, release: str = "rdiverse", namespace: str = "rdiverse") -> dict[str, str]:
    """Template -> text. Raises helm_python.HelmError with what Helm would print."""
    import helm_python

    with helm_python.Chart.load(CHART) as chart:
        return chart.render(values, name=release, namespace=namespace)


def render(values: Object, release: str = "rdiverse", namespace: str = "rdiverse") -> list[Object]:
    """Every object that Helm would send, hooks included."""
    files = render_files(values, release, namespace)
    texts = (text for name, text in sorted(files.items()) if name.endswith(".yaml"))
    return [found for text in texts for found in yaml.safe_load_all(text) if found]


def embedded(objects: list[Object], key: str) -> Object:
    """An object that the runs' ConfigMap holds as text: cluster.yaml, policy.yaml, policy-service.yaml, trainer.yaml."""
    (found,) = (each["data"][key] for each in objects if each["kind"] == "ConfigMap" and key in each.get("data", {}))
    loaded: Object = yaml.safe_load(found)
    return loaded
