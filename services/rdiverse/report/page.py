"""Puts a run onto one page."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from markupsafe import Markup

from rdiverse.report import costs, figures, marks
from rdiverse.report.data import RunData, read_run
from rdiverse.report.figures import Figure
from rdiverse.report.questions import EACH, groups_of
from rdiverse.report.template import fill
from rdiverse.runs.files import written_aside
from rdiverse.runs.folder import RunFolder

COLUMNS = (
    ("accuracy_sampled", "sampled", "percent"),
    ("accuracy_greedy", "greedy", "percent"),
    ("worst_skill", "worst tenth", "percent"),
    ("label_accuracy", "labels right", "percent"),
    ("ill_posed_share", "ill\u2011posed", "percent"),
    ("proposed", "proposed", "count"),
    ("kept", "kept", "count"),
    ("mean_self_consistency", "mean s", "decimal"),
    ("effective_skills", "effective skills", "decimal"),
    ("intra_iteration_repetition", "repeats within", "percent"),
    ("cross_iteration_repetition", "repeats of the past", "percent"),
    ("mean_cosine", "mean cosine", "decimal"),
)
"""The summary's figures, in the table's order: key, heading, how it is written."""

_FORMS: dict[str, Callable[[Any], str]] = {
    "percent": marks.percent,
    "decimal": marks.decimal,
    "count": lambda value: f"{value:,}",
    "seconds": lambda value: f"{value:.1f}",
    "hours": lambda value: f"{value:.2f}",
    "mebibytes": lambda value: f"{value / 2**20:,.0f} MiB",
}


def write_report(run: RunFolder, out: Path) -> None:
    """Write the page of a run from its folder, whole or not at all.

    Raises OSError or pyarrow.ArrowInvalid, naming the file, when a table of the run is missing or not whole.
    """
    page = render(read_run(run))
    with written_aside(out) as aside:
        aside.write_text(page, encoding="utf-8")


def render(data: RunData) -> str:
    """The page as HTML. Every text is escaped; the page holds no script and asks for nothing."""
    return fill(
        "report.html.jinja",
        {"number": _number},
        summary=data.summary,
        config=data.config,
        config_text=data.config_text,
        benchmarks=_benchmarks(data),
        tiles=_tiles(data),
        columns=COLUMNS,
        sections=_sections(data),
        skill_map=figures.skill_map(data),
        worst_skills=figures.worst_skills(data),
        steps=costs.step_names(data),
        timing=costs.timing(data),
        trainers=costs.trainers(data),
        usages=costs.usages(data),
        iterations=[(item.t, groups_of(item, data.config["penalty"])) for item in data.iterations if item.t],
        each=EACH,
    )


def _number(value: Any, form: str) -> Markup:
    """A figure as people read it, its exact value in the markup; a dash for null."""
    if value is None:
        return marks.element("span", "–", class_="null", title="not measured")
    return marks.element("data", _FORMS[form](value), value=repr(value))


def _benchmarks(data: RunData) -> list[dict[str, Any]]:
    found = next((item.evaluation for item in data.iterations if item.evaluation), None)
    return list(found["benchmarks"]) if found else []


def _tiles(data: RunData) -> list[dict[str, Any]]:
    """The page's headline: figures before and after."""
    rows = data.summary["iterations"]
    tiles = []
    for key, _, form in COLUMNS:
        known = [(row["iteration"], row[key]) for row in rows if row.get(key) is not None]
        if key in _HEADLINES and known:
            first, last = known[0], known[-1]
            tiles.append({"name": _HEADLINES[key], "form": form, "first": first, "last": last})
    return tiles


_HEADLINES = {
    "accuracy_sampled": "Sampled accuracy",
    "accuracy_greedy": "Greedy accuracy",
    "worst_skill": "Worst tenth of skills",
    "label_accuracy": "Right pseudo-labels",
    "effective_skills": "Effective skills",
    "cross_iteration_repetition": "Repeats of the past",
}


def _sections(data: RunData) -> list[tuple[str, str, str, list[Figure], list[Figure]]]:
    """Anchor, heading, introduction, figures and small figures of each section of charts."""
    sections = [
        ("accuracy", "Accuracy", figures.ACCURACY, figures.accuracy(data), []),
        ("illusion", "What the penalty saw, and what was there", figures.illusion_text(data), figures.illusion(data), []),
        ("training", "Training and labels", figures.LABELS, figures.labels(data), figures.consistency(data)),
    ]
    return [section for section in sections if section[3]]
