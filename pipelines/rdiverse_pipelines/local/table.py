"""The table that a run ends with: as many columns as the terminal has room for, and all of them elsewhere."""

import shutil
import sys
import textwrap
from typing import Any, NamedTuple


class Column(NamedTuple):
    """A figure: the two lines of its heading, its key in the summary, how it is written, and what it is counted in."""

    title: str
    unit: str
    """With the direction of good: ↑ more is better, ↓ less is."""
    key: str
    form: str
    scale: float = 1.0
    extra: bool = False
    """Only where there is room."""


COLUMNS = (
    Column("sampled", "% ↑", "accuracy_sampled", "{:.1f}", 100),
    Column("greedy", "% ↑", "accuracy_greedy", "{:.1f}", 100),
    Column("worst", "% ↑", "worst_skill", "{:.1f}", 100, extra=True),
    Column("labels", "% ↑", "label_accuracy", "{:.1f}", 100),
    Column("ill-posed", "% ↓", "ill_posed_share", "{:.1f}", 100, extra=True),
    Column("proposed", "", "proposed", "{:.0f}", extra=True),
    Column("kept", "", "kept", "{:.0f}"),
    Column("skills", "↑", "effective_skills", "{:.1f}"),
    Column("within", "% ↓", "intra_iteration_repetition", "{:.1f}", 100),
    Column("across", "% ↓", "cross_iteration_repetition", "{:.1f}", 100),
    Column("time", "min", "minutes", "{:.1f}", extra=True),
)
SAYS = (
    "↑ more is better, ↓ less is. sampled, greedy: held-out answers right; labels: kept labels right; "
    "within, across: kept questions that repeat this or earlier iterations."
)
FIRST, GAP = 4, 2


def print_table(summary: dict[str, Any]) -> None:
    """Print a summary, a row an iteration (0: the base model); a dash stands for what an iteration does not have."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    sys.stdout.write(table(summary, width) + "\n")


def table(summary: dict[str, Any], width: int | None = None) -> str:
    """The summary in lines of at most `width` characters; None: every column."""
    columns = _fitting(width)
    lines = [f"{summary['run_id']}: {summary['method']}, seed {summary['seed']}"]
    lines += [
        _row("iter", [column.title for column in columns], columns),
        _row("", [column.unit for column in columns], columns),
    ]
    for row in summary["iterations"]:
        seconds = sum(value for step, value in row["seconds"].items() if not step.startswith("of which"))
        known = {**row, "minutes": seconds / 60}
        cells = ["–" if known[c.key] is None else c.form.format(known[c.key] * c.scale) for c in columns]
        lines.append(_row("base" if row["iteration"] == 0 else str(row["iteration"]), cells, columns))
    return "\n".join([*lines, *textwrap.wrap(SAYS, min(width or 100, 100))])


def _fitting(width: int | None) -> list[Column]:
    """The columns that a line has room for, in their order; the extra ones come in from the left as far as they fit."""
    if width is None:
        return list(COLUMNS)
    room = width - FIRST - sum(GAP + _width(column) for column in COLUMNS if not column.extra)
    chosen = []
    for column in COLUMNS:
        if column.extra:
            if room < GAP + _width(column):
                continue
            room -= GAP + _width(column)
        chosen.append(column)
    return chosen


def _width(column: Column) -> int:
    return max(len(column.title), 5)


def _row(first: str, cells: list[str], columns: list[Column]) -> str:
    written = "".join(" " * GAP + cell.rjust(_width(column)) for cell, column in zip(cells, columns, strict=True))
    return (first.rjust(FIRST) + written).rstrip()
