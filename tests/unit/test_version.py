"""One version, that of pyproject.toml: everything else that states one is held to it."""

import tomllib
from pathlib import Path

import yaml
from typer.testing import CliRunner

from rdiverse.cli import app
from rdiverse_pipelines.dag import DEFAULT_IMAGE

ROOT = Path(__file__).parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


def test_the_command_says_it() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.output) == (0, f"rdiverse {VERSION}\n")


def test_chart_image_and_citation_state_the_same() -> None:
    chart = yaml.safe_load((ROOT / "helm" / "rdiverse" / "Chart.yaml").read_text(encoding="utf-8"))
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (chart["version"], chart["appVersion"]) == (VERSION, VERSION)
    assert f"rdiverse-pipelines:{VERSION}" == DEFAULT_IMAGE
    assert citation["version"] == VERSION
