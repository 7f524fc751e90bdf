"""Where a run's time went."""

from collections import defaultdict
from typing import Any

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


def gpu_hours(data: RunData) -> dict[str, Any] | None:
    """GPU-hours by iteration and phase, and their sums; None for a run that held no GPUs (or none that it knows of)."""
    entries = data.summary.get("gpu_hours")
    if not entries:
        return None
    phases = list(dict.fromkeys(entry["phase"] for entry in entries))
    found = {(entry["iteration"], entry["phase"]): entry["gpu_hours"] for entry in entries}
    rows = [
        {"iteration": t, "hours": hours, "total": sum(hour for hour in hours if hour is not None)}
        for t in sorted({entry["iteration"] for entry in entries})
        for hours in ([found.get((t, phase)) for phase in phases],)
    ]
    totals = [sum(value for (_, each), value in found.items() if each == phase) for phase in phases]
    return {"phases": phases, "rows": rows, "totals": totals, "total": sum(totals)}


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
