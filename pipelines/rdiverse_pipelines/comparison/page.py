"""Puts a comparison onto one page: self-contained, no network, no scripts."""

from collections.abc import Sequence

from markupsafe import Markup

from rdiverse.report import marks
from rdiverse.report.template import fill
from rdiverse_pipelines.comparison import tables
from rdiverse_pipelines.comparison.compared import Comparison
from rdiverse_pipelines.comparison.figures import ComparedFigure
from rdiverse_pipelines.comparison.statistics import INTERVAL


def render(found: Comparison, drawn: Sequence[ComparedFigure]) -> str:
    """The page as HTML. Every text is escaped."""
    return fill(
        "rdiverse_pipelines.comparison",
        "comparison.html.jinja",
        {"figure": _figure},
        found=found,
        interval=INTERVAL,
        figures=drawn,
        last=tables.last_iteration(found),
        differences=tables.last_differences(found),
        skills=tables.by_skill(found),
        iterations=[(measure, tables.by_iteration(found, measure)) for measure in tables.used_measures(found)],
    )


def _figure(cell: tables.Cell) -> Markup | str:
    """A figure with half the width of its interval, its exact value in the markup; a dash where there is none."""
    if cell.missing:
        return marks.element("span", cell.text, class_="null", title=cell.missing)
    if cell.value is None:
        return cell.text
    shown = marks.element("data", cell.text, value=repr(cell.value))
    if small := cell.width + cell.seeds:
        shown += marks.element("small", small)
    return marks.element("strong", shown) if cell.apart else shown
