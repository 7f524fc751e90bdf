"""The table of all values, from the comments of values.yaml."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from manifests.rendering.chart import CHART

MARK = "# -- "
LIKE = "coder"
"""Sections of the same shape are commented once, here."""


@dataclass(frozen=True)
class Value:
    """One value of the chart."""

    path: str
    default: str
    """As JSON; empty for a section."""
    text: str


def values() -> list[Value]:
    """Every value, in the file's order; sections that say something come before their fields."""
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    found = list(_walk(yaml.compose(text), yaml.safe_load(text), text.splitlines(), ""))
    told = {value.path: value.text for value in found if value.text}
    return [Value(value.path, value.default, value.text or _told_elsewhere(value.path, told)) for value in found]


def page() -> str:
    """docs/values.md."""
    rows = "\n".join(f"| `{value.path}` | {_code(value.default)} | {_plain(value.text)} |" for value in values())
    return (
        "# Values of the chart\n\n"
        "Made from the comments of `helm/rdiverse/values.yaml` by `make manifests`. Unknown values are refused.\n"
        "`config` takes a few fields that have no default here:"
        " `encoder.dimension`, `prompts.coder`, and the rest of `inference`.\n"
        "Profiles: `values-8gpu.yaml` (these defaults), `values-4gpu.yaml`, `values-cpu.yaml`.\n\n"
        f"| value | default | |\n|---|---|---|\n{rows}\n"
    )


def _walk(node: Any, value: Any, lines: list[str], prefix: str) -> Iterator[Value]:
    for key_node, child in node.value:
        key = key_node.value
        path = f"{prefix}{key}"
        text = _comment(lines, key_node.start_mark.line)
        if isinstance(child, yaml.MappingNode) and not child.flow_style:
            if text:
                yield Value(path, "", text)
            yield from _walk(child, value[key], lines, f"{path}.")
        else:
            yield Value(path, json.dumps(value[key]), text)


def _comment(lines: list[str], line: int) -> str:
    above = lines[line - 1].strip() if line else ""
    return above.removeprefix(MARK) if above.startswith(MARK) else ""


def _told_elsewhere(path: str, told: dict[str, str]) -> str:
    """What is said of the same field of the coder; nothing where a section says it of all its fields."""
    return told.get(f"{LIKE}.{path.partition('.')[2]}", "")


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _plain(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;") if "`" not in text else text.replace("|", "\\|")
