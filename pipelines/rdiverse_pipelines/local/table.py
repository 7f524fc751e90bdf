"""The table that a run ends with."""

from typing import Any

from rich.console import Console
from rich.table import Table

COLUMNS = (
    ("sampled", "accuracy_sampled", "{:.3f}"),
    ("greedy", "accuracy_greedy", "{:.3f}"),
    ("worst skills", "worst_skill", "{:.3f}"),
    ("labels right", "label_accuracy", "{:.2f}"),
    ("ill-posed", "ill_posed_share", "{:.2f}"),
    ("kept", "kept", "{:d}"),
    ("proposed", "proposed", "{:d}"),
    ("skills", "effective_skills", "{:.1f}"),
    ("repeats within", "intra_iteration_repetition", "{:.2f}"),
    ("repeats across", "cross_iteration_repetition", "{:.2f}"),
)


def print_table(summary: dict[str, Any]) -> None:
    """Print a summary, a row an iteration (0: the base model); a dash stands for what an iteration does not have."""
    table = Table(title=f"{summary['run_id']}: {summary['method']}, seed {summary['seed']}", title_justify="left")
    table.add_column("iteration", justify="right")
    for title, _, _ in COLUMNS:
        table.add_column(title, justify="right")
    table.add_column("seconds", justify="right")
    for row in summary["iterations"]:
        cells = ["–" if row[name] is None else form.format(row[name]) for _, name, form in COLUMNS]
        seconds = sum(value for step, value in row["seconds"].items() if not step.startswith("of which"))
        table.add_row(str(row["iteration"]), *cells, f"{seconds:.0f}")
    Console(width=None if Console().is_terminal else 140).print(table)
