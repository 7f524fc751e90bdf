"""Write everything that is made from the chart: manifests, and the tables of the docs.

With --output: the manifests alone, for a release and a namespace of your own.
"""

import argparse
import shutil
from pathlib import Path

import yaml
from manifests.rendering import kustomize, security_table, values_table
from manifests.rendering.chart import CHART, REPOSITORY, merged, profile_values, render

PLACEHOLDER = "registry.invalid/team"
"""Of the committed manifests: no registry ever has this name."""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--release", default="rdiverse")
    parser.add_argument("--namespace", default="rdiverse")
    parser.add_argument("--image-prefix", default=PLACEHOLDER, help="registry and path of your images")
    parser.add_argument("--output", type=Path, help="folder to write base, overlays and components into")
    given = parser.parse_args()
    kustomize.write(given.output or REPOSITORY / "manifests", given.release, given.namespace, given.image_prefix)
    if given.output is None:
        _write_monitoring(REPOSITORY / "manifests")
        _write_docs(REPOSITORY / "docs")


def _write_monitoring(folder: Path) -> None:
    """Rules and dashboard for a Prometheus and a Grafana without operator and sidecar."""
    objects = render(merged(profile_values("8gpu"), {"monitoring": {"rules": True}}))
    (rules,) = (each["spec"] for each in objects if each["kind"] == "PrometheusRule")
    (folder / "prometheus").mkdir(exist_ok=True)
    (folder / "prometheus" / "rules.yaml").write_text(yaml.safe_dump(rules, sort_keys=False, width=160), encoding="utf-8")
    (folder / "grafana").mkdir(exist_ok=True)
    shutil.copy(CHART / "files" / "dashboard.json", folder / "grafana" / "dashboard.json")


def _write_docs(folder: Path) -> None:
    (folder / "values.md").write_text(values_table.page(), encoding="utf-8")
    security = folder / "security.md"
    security.write_text(security_table.filled(security.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
