"""The comparison as Markdown, for a folder of results in a repository."""

from collections.abc import Sequence

from rdiverse.report.comparison.figures import ComparedFigure
from rdiverse.report.comparison.measures import MEASURES, Measure, difference_written, width_written, written
from rdiverse.report.comparison.statistics import INTERVAL, Difference, Spread
from rdiverse.report.comparison.tables import Comparison

DIFFERENCES = (
    "Mean difference (of shares in percentage points) ± half the interval's width; in how many seeds the method is the "
    "higher one. Bold where the interval leaves out zero: with this many figures a few do so by chance."
)


def markdown(found: Comparison, drawn: Sequence[ComparedFigure]) -> str:
    """The tables of the last iteration, accuracy by iteration, and links to the figures."""
    used = [measure for measure in MEASURES if any(measure.key in each.iterations[-1] for each in found.methods)]
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
        *_table(
            ["measure", *(f"{each.method} (n = {len(each.seeds)})" for each in found.methods)],
            [
                [measure.title, *(_spread(measure, each.iterations[-1].get(measure.key)) for each in found.methods)]
                for measure in used
            ],
        ),
    ]
    compared = [each for each in found.methods if each.differences]
    if compared:
        lines += [
            "",
            f"## Minus {found.reference}, seed by seed",
            "",
            DIFFERENCES,
            "",
            *_table(
                ["measure", *(f"{each.method}" for each in compared)],
                [
                    [measure.title, *(_difference(measure, each.differences[-1].get(measure.key)) for each in compared)]
                    for measure in used
                ],
            ),
        ]
    for measure in MEASURES[:3]:
        lines += ["", f"## {measure.title} by iteration", "", *_by_iteration(found, measure)]
    lines += ["", "## Figures", ""]
    lines += [line for figure in drawn for line in (f"![{figure.title}]({figure.name}.svg)", "", figure.caption, "")]
    if found.missing:
        lines += ["## Missing", "", *(f"- {each}" for each in found.missing), ""]
    lines += ["## What the measures are", "", *(f"- *{measure.title}*: {measure.says}" for measure in used), ""]
    return "\n".join(lines)


def _by_iteration(found: Comparison, measure: Measure) -> list[str]:
    rows = [
        [
            str(t),
            *(
                _spread(measure, each.iterations[t].get(measure.key) if t < len(each.iterations) else None)
                for each in found.methods
            ),
        ]
        for t in range(found.last + 1)
    ]
    return _table(["iteration", *(str(each.method) for each in found.methods)], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [_row(head), _row(["---"] * len(head)), *map(_row, rows)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _spread(measure: Measure, found: Spread | None) -> str:
    if found is None:
        return "–"
    return written(measure)(found.mean) + _width(measure, found)


def _difference(measure: Measure, found: Difference | None) -> str:
    if found is None:
        return "–"
    text = difference_written(measure, found.mean) + _width(measure, found)
    text = f"**{text}**" if found.apart else text
    return f"{text} ({found.higher}/{len(found.values)})"


def _width(measure: Measure, found: Spread) -> str:
    return "" if found.half_width is None else f" ± {width_written(measure, found.half_width, found.mean)}"
