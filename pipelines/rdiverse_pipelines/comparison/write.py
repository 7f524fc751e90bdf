"""Writes a comparison: comparison.json, comparison.html, comparison.md and a file for each figure."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rdiverse.runs.files import write_json, written_aside
from rdiverse.selfplay.methods import Method
from rdiverse_pipelines.comparison.compared import Comparison, compare
from rdiverse_pipelines.comparison.figures import figures
from rdiverse_pipelines.comparison.markdown import markdown
from rdiverse_pipelines.comparison.measures import MEASURES
from rdiverse_pipelines.comparison.page import render
from rdiverse_pipelines.comparison.setting import Setting
from rdiverse_pipelines.comparison.statistics import INTERVAL
from rdiverse_pipelines.comparison.summaries import read_summaries
from rdiverse_pipelines.comparison.svg import standalone

SUMMARIES = "summaries"
"""The folder of the runs' summaries within a comparison's folder."""


def write_comparison(folder: Path, setting: Setting, reference: Method, missing: Sequence[str] = ()) -> Comparison:
    """Compare the runs whose summaries stand in `folder`/summaries, and write what came out into `folder`.

    Raises SummaryError, naming the file, for a summary of another setting; NothingToCompareError without any summary.
    """
    found = compare(read_summaries(folder / SUMMARIES, setting), setting, reference, missing)
    drawn = figures(found)
    write_json(folder / "comparison.json", to_json(found))
    for figure in drawn:
        _write_text(folder / f"{figure.name}.svg", f"{standalone(figure)}\n")
    _write_text(folder / "comparison.md", markdown(found, drawn))
    _write_text(folder / "comparison.html", render(found, drawn))
    return found


def to_json(found: Comparison) -> dict[str, Any]:
    """Every figure, with the values of the seeds that it was made from."""
    return {
        "reference": str(found.reference),
        "interval": INTERVAL,
        "measures": {measure.key: measure.says for measure in MEASURES},
        "setting": found.setting.to_json(),
        "methods": [asdict(method) for method in found.methods],
        "skills": [asdict(group) for group in found.groups],
        "runs": found.runs,
        "missing": found.missing,
    }


def _write_text(path: Path, text: str) -> None:
    with written_aside(path) as aside:
        aside.write_text(text, encoding="utf-8")
