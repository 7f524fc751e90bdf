"""The comparison as Markdown, for a folder of results in a repository."""

from collections.abc import Sequence

from rdiverse_pipelines.comparison.compared import Comparison
from rdiverse_pipelines.comparison.figures import ComparedFigure
from rdiverse_pipelines.comparison.measures import MEASURES
from rdiverse_pipelines.comparison.statistics import INTERVAL
from rdiverse_pipelines.comparison.tables import Cell, Table, by_iteration, last_differences, last_iteration, used_measures

DIFFERENCES = (
    "Mean difference (of shares in percentage points) ± half the interval's width; in how many seeds the method is the "
    "higher one. Bold where the interval leaves out zero: with this many figures a few do so by chance."
)


def markdown(found: Comparison, drawn: Sequence[ComparedFigure]) -> str:
    """The tables of the last iteration, accuracy by iteration, and links to the figures."""
    seeds = {tuple(each.seeds) for each in found.methods}
    lines = [
        "# Methods side by side",
        "",
        f"Base model `{found.setting.files['model']}`, setting `{found.setting.digest}`, {found.last} iterations, "
        f"{len(found.runs)} runs. "
        + ("All methods have the same seeds." if len(seeds) == 1 else "**Seeds differ by method.**"),
        f"Commit {', '.join(found.made_by('commit'))}; {'; '.join(found.made_by('machine'))}.",
        f"Wall time of all runs together: {found.minutes:.0f} minutes.",
        f"Intervals: {INTERVAL}.",
        "",
        f"## At iteration {found.last}",
        "",
        "Mean over seeds ± half the interval's width.",
        "",
        *_table(last_iteration(found)),
    ]
    if differences := last_differences(found):
        lines += ["", f"## Minus {found.reference}, seed by seed", "", DIFFERENCES, "", *_table(differences)]
    for measure in MEASURES[:3]:
        lines += ["", f"## {measure.title} by iteration", "", *_table(by_iteration(found, measure))]
    lines += ["", "## Figures", ""]
    lines += [line for figure in drawn for line in (f"![{figure.title}]({figure.name}.svg)", "", figure.caption, "")]
    if found.missing:
        lines += ["## Missing", "", *(f"- {each}" for each in found.missing), ""]
    says = [f"- *{measure.title}*: {measure.says}" for measure in used_measures(found)]
    return "\n".join([*lines, "## What the measures are", "", *says, ""])


def _table(table: Table) -> list[str]:
    """A table without the columns that Markdown has no room for."""
    shown = [not column.beside for column in table.columns]
    head = [table.corner, *(column.title for column, show in zip(table.columns, shown, strict=True) if show)]
    rows = [[row.title, *(_written(cell) for cell, show in zip(row.cells, shown, strict=True) if show)] for row in table.rows]
    return [_row(head), _row(["---"] * len(head)), *map(_row, rows)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _written(cell: Cell) -> str:
    text = cell.text + cell.width
    return (f"**{text}**" if cell.apart else text) + cell.seeds
