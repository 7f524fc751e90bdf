"""The comparison's tables: what stands in each cell, for the page and for Markdown alike."""

from dataclasses import dataclass
from typing import NamedTuple

from rdiverse_pipelines.comparison.compared import Comparison
from rdiverse_pipelines.comparison.measures import MEASURES, Measure, difference_written, width_written, written
from rdiverse_pipelines.comparison.statistics import Difference, Spread

SHARE = next(measure for measure in MEASURES if measure.key == "accuracy_sampled")


@dataclass(frozen=True)
class Cell:
    """One figure as it is written."""

    text: str
    value: float | None = None
    """The exact value behind the text."""
    width: str = ""
    """" ± half the interval's width"; empty: there is no interval."""
    seeds: str = ""
    """Of a difference, " (h/n)": in how many of the seeds the method is the higher one."""
    apart: bool = False
    """The interval leaves zero out."""
    missing: str = ""
    """Why there is no figure."""


class Column(NamedTuple):
    """The head of a column."""

    title: str
    method: str = ""
    beside: bool = False
    """A difference beside the method's own column, for which Markdown has no room."""


@dataclass(frozen=True)
class Row:
    """One line; it may be about a measure."""

    title: str
    cells: list[Cell]
    key: str = ""
    says: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of as many cells as there are columns."""

    label: str
    """What the table is, for those who do not see it."""
    corner: str
    columns: list[Column]
    rows: list[Row]


def used_measures(found: Comparison) -> list[Measure]:
    """The measures that any method has at its last iteration."""
    return [measure for measure in MEASURES if any(measure.key in each.iterations[-1] for each in found.methods)]


def last_iteration(found: Comparison) -> Table:
    """Every measure at the last iteration, method by method."""
    columns = [Column(f"{each.method} (n = {len(each.seeds)})", each.method) for each in found.methods]
    rows = [
        Row(
            measure.title,
            [_mean(measure, each.iterations[-1].get(measure.key)) for each in found.methods],
            measure.key,
            measure.says,
        )
        for measure in used_measures(found)
    ]
    return Table("Measures at the last iteration", "measure", columns, rows)


def last_differences(found: Comparison) -> Table | None:
    """The same minus the reference, seed by seed; None when no method has a seed in common with it."""
    compared = [each for each in found.methods if each.differences]
    rows = [
        Row(measure.title, [_difference(measure, each.differences[-1].get(measure.key)) for each in compared], measure.key)
        for measure in used_measures(found)
    ]
    columns = [Column(each.method, each.method) for each in compared]
    return Table("Differences at the last iteration", "measure", columns, rows) if compared else None


def by_iteration(found: Comparison, measure: Measure) -> Table:
    """One measure, iteration by iteration."""
    rows = []
    for t in range(found.last + 1):
        cells: list[Cell] = []
        for each in found.methods:
            cells.append(_mean(measure, each.iterations[t].get(measure.key) if t < len(each.iterations) else None))
            if each.differences:
                pair = each.differences[t].get(measure.key) if t < len(each.differences) else None
                cells.append(_difference(measure, pair))
        rows.append(Row(str(t) if t else "base", cells))
    return Table(f"{measure.title} by iteration", "iteration", _with_differences(found), rows)


def by_skill(found: Comparison) -> Table:
    """Sampled accuracy at the last iteration over groups of skills; no rows where no benchmark names skills."""
    rows = []
    for group in found.groups:
        cells = [Cell(str(group.skills)), _mean(SHARE, group.base)]
        for each in found.methods:
            cells.append(_mean(SHARE, group.last.get(each.method)))
            if each.differences:
                cells.append(_difference(SHARE, group.differences.get(each.method)))
        rows.append(Row(group.name, cells))
    columns = [Column("how many"), Column("base model"), *_with_differences(found)]
    return Table("Accuracy by skill", "skills", columns, rows)


def _with_differences(found: Comparison) -> list[Column]:
    columns: list[Column] = []
    for each in found.methods:
        columns.append(Column(each.method, each.method))
        if each.differences:
            columns.append(Column("difference", each.method, beside=True))
    return columns


def _mean(measure: Measure, found: Spread | None) -> Cell:
    if found is None:
        return Cell("–", missing="not measured")
    return Cell(written(measure)(found.mean), found.mean, _width(measure, found))


def _difference(measure: Measure, found: Difference | None) -> Cell:
    if found is None:
        return Cell("–", missing="no seed has both")
    seeds = f" ({found.higher}/{len(found.values)})"
    return Cell(difference_written(measure, found.mean), found.mean, _width(measure, found), seeds, found.apart)


def _width(measure: Measure, found: Spread) -> str:
    return "" if found.half_width is None else f" ± {width_written(measure, found.half_width, found.mean)}"
