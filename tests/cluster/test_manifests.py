"""manifests/ and docs/values.md are what the chart gives."""

import filecmp
import re
from pathlib import Path

import pytest
import yaml
from manifests.rendering import kustomize, values_table
from manifests.rendering.__main__ import PLACEHOLDER
from manifests.rendering.chart import CHART, HOOK, PROFILES, REPOSITORY, Object, profile_values, render

MANIFESTS = REPOSITORY / "manifests"


def built(folder: Path) -> list[Object]:
    """What kustomize makes of a folder: its own objects and those of the folders that it names."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    objects = []
    for name in kustomization["resources"]:
        path = (folder / name).resolve()
        objects += built(path) if path.is_dir() else [yaml.safe_load(path.read_text())]
    files = {path.name for path in folder.glob("*.yaml")} - {"kustomization.yaml"}
    assert files <= set(kustomization["resources"]), f"{folder}: files that nobody names"
    return objects


def key(found: Object) -> tuple[str, str]:
    return found["kind"], found["metadata"]["name"]


@pytest.mark.parametrize("name", ["base", "overlays", "components"])
def test_they_are_fresh(name: str, tmp_path: Path) -> None:
    kustomize.write(tmp_path, "rdiverse", "rdiverse", PLACEHOLDER)
    assert differing(filecmp.dircmp(tmp_path / name, MANIFESTS / name)) == [], "run 'make manifests' and commit"


@pytest.mark.parametrize("profile", PROFILES)
def test_an_overlay_is_what_helm_installs(profile: str) -> None:
    objects = {key(each): each for each in built(MANIFESTS / "overlays" / profile)}
    values = profile_values(profile, PLACEHOLDER)
    installed = {key(each): each for each in render(values) if HOOK not in each["metadata"].get("annotations", {})}
    assert set(objects) == set(installed)
    for which, each in objects.items():
        assert each.get("spec", each.get("rules")) == installed[which].get("spec", installed[which].get("rules")), which


def test_monitoring_is_apart() -> None:
    objects = built(MANIFESTS / "components" / "monitoring")
    assert sorted(each["kind"] for each in objects) == [
        "ConfigMap",
        "PodMonitor",
        "PodMonitor",
        "PrometheusRule",
        "ServiceMonitor",
    ]
    for profile in PROFILES:
        assert not set(map(key, objects)) & set(map(key, built(MANIFESTS / "overlays" / profile)))


def test_no_trace_of_helm_is_left() -> None:
    for path in MANIFESTS.rglob("*.yaml"):
        assert not re.search(r"managed-by: Helm|helm\.sh/", path.read_text()), path


def test_images_are_nowhere() -> None:
    text = "\n".join(path.read_text() for path in MANIFESTS.rglob("*.yaml"))
    images = set(re.findall(r"^\s*-? ?image: \"?([^\s\"]+)", text, re.MULTILINE))
    assert images
    assert {image.rpartition("/")[0] for image in images} == {PLACEHOLDER}


def test_rules_and_dashboard_are_those_of_the_chart() -> None:
    [rules] = [each["spec"] for each in built(MANIFESTS / "components" / "monitoring") if each["kind"] == "PrometheusRule"]
    assert yaml.safe_load((MANIFESTS / "prometheus" / "rules.yaml").read_text()) == rules
    assert (MANIFESTS / "grafana" / "dashboard.json").read_text() == (CHART / "files" / "dashboard.json").read_text()


def test_the_table_of_values_is_fresh() -> None:
    assert (REPOSITORY / "docs" / "values.md").read_text() == values_table.page(), "run 'make manifests' and commit"


def differing(compared: filecmp.dircmp) -> list[str]:
    found = [*compared.left_only, *compared.right_only, *compared.diff_files]
    return found + [name for child in compared.subdirs.values() for name in differing(child)]
