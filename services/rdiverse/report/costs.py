"""Where a run's time went."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from rdiverse.report.charts import stacked_bars
from rdiverse.report.data import Row, RunData

PARTS = ("rollout", "reward", "update", "save")
"""Parts of a training step, as the trainers time them."""


def step_names(data: RunData) -> list[str]:
    """Steps that have a time, in the order of the pipeline; what is part of other steps comes last."""
    rows = sorted(data.summary["iterations"], key=lambda row: -len(row["seconds"]))
    names = dict.fromkeys(step for row in rows for step in row["seconds"])
    return sorted(names, key=lambda step: step.startswith("of which"))


def timing(data: RunData) -> tuple[Markup, list[str]] | None:
    """Seconds by step, and the steps in the bars' order. "of which" is part of other steps, and no bar."""
    steps = [step for step in step_names(data) if not step.startswith("of which")]
    rows = [
        (f"{row['iteration']}", [(step, row["seconds"].get(step) or 0.0) for step in steps])
        for row in data.summary["iterations"]
    ]
    chart = stacked_bars(rows, "Seconds by step and iteration")
    return (chart, steps) if chart else None


class Usage(NamedTuple):
    """What was used, by iteration and phase or step, with sums."""

    title: str
    says: str
    form: str
    """How an amount is written."""
    columns: list[str]
    rows: list[tuple[int, list[float | None], float]]
    """Iteration, an amount for every column (null: none is known), their sum."""
    totals: list[float]

    @property
    def total(self) -> float:
        """Everything together."""
        return sum(self.totals)


def usages(data: RunData) -> list[Usage]:
    """CPU-seconds of a run on one machine, GPU-hours of one on a cluster; neither for a run that noted none."""
    cpu = "Of the step, its trainers, and the servers meanwhile, user and system. A step that was cut short is not counted."
    gpu = "What the run held on the cluster, used or not, by the phase that held it; starting and stopping included."
    summary = data.summary
    found = [
        _usage("CPU-seconds", cpu, "tenths", summary.get("cpu_seconds") or [], "step", "cpu_seconds"),
        _usage("GPU-hours", gpu, "hundredths", summary.get("gpu_hours") or [], "phase", "gpu_hours"),
    ]
    return [usage for usage in found if usage.rows]


def _usage(title: str, says: str, form: str, entries: Sequence[Row], column: str, amount: str) -> Usage:
    columns = list(dict.fromkeys(entry[column] for entry in entries))
    found = {(entry["iteration"], entry[column]): float(entry[amount]) for entry in entries}
    rows = []
    for t in sorted({entry["iteration"] for entry in entries}):
        amounts = [found.get((t, name)) for name in columns]
        rows.append((t, amounts, sum(each for each in amounts if each is not None)))
    totals = [sum(value for (_, name), value in found.items() if name == each) for each in columns]
    return Usage(title, says, form, columns, rows, totals)


def trainers(data: RunData) -> list[dict[str, Any]]:
    """What the steps of each training phase cost, phase by phase."""
    phases: dict[tuple[int, str], list[Row]] = defaultdict(list)
    for row in data.metrics:
        phases[row["iteration"], row["phase"]].append(row)
    return [
        {
            "iteration": t,
            "phase": phase,
            "steps": len(rows),
            "parts": {part: sum(row["seconds"][part] for row in rows) for part in PARTS},
            "speed": round(sum(row["tokens_per_second"] for row in rows) / len(rows)),
            "memory": max(row["peak_memory_bytes"] for row in rows),
        }
        for (t, phase), rows in sorted(phases.items())
    ]
