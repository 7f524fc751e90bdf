"""docs/sizing.md adds up what the profiles ask for."""

import re
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "rdiverse"
PROFILES = ("values-cpu.yaml", "values-4gpu.yaml", "values-8gpu.yaml")
GIBI = {"Gi": 1.0, "Mi": 1 / 1024}


def merged(base: Any, over: Any) -> Any:
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    return base | {name: merged(base.get(name), value) for name, value in over.items()}


def asked(section: dict[str, Any]) -> tuple[float, float, float]:
    """GPUs, CPUs and GiB of one pod of a section."""
    requests = section["resources"]["requests"]
    cpu = str(requests["cpu"])
    cores = float(cpu[:-1]) / 1000 if cpu.endswith("m") else float(cpu)
    return section.get("gpus", 0), cores, float(requests["memory"][:-2]) * GIBI[requests["memory"][-2:]]


def most(profile: str) -> tuple[float, ...]:
    values = reduce(merged, (yaml.safe_load((CHART / name).read_text()) for name in ("values.yaml", profile)))
    always = [asked(values["diversity"])]
    if values["milvus"]["embedded"]["enabled"]:
        always.append(asked(values["milvus"]["embedded"]))
    phases = []
    for shares in values["plan"].values():
        sections = {name: values[name if name in values else "policy"] for name in shares}
        pods = always + [asked(sections[name]) for name, count in shares.items() for _ in range(count)]
        phases.append([sum(pod[kind] for pod in pods) for kind in range(3)])
    return tuple(max(phase[kind] for phase in phases) for kind in range(3))


@pytest.mark.parametrize("column", range(3), ids=PROFILES)
def test_the_table_says_what_a_profile_asks_for(column):
    page = (ROOT / "docs" / "sizing.md").read_text()
    rows = [
        re.findall(rf"^\| {name}[^|]*\|(.+)\|$", page, re.MULTILINE)[0].split("|")
        for name in ("GPUs at once", "CPUs", "memory")
    ]
    told = tuple(float(row[column].split()[0]) for row in rows)
    assert told == pytest.approx(most(PROFILES[column]))
