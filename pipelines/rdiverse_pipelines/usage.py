"""What a run used: GPU-hours held on a cluster, CPU-seconds on one machine; noted on the way, added up when asked."""

import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from rdiverse.runs.folder import RunFolder
from rdiverse.runs.lines import append_line, read_lines
from rdiverse.selfplay.steps import REST


def gpu_ledger(folder: RunFolder) -> Path:
    """One JSON object a line: from `time` on, `phase` of `iteration` holds `gpus`."""
    return folder.root / "gpus.jsonl"


def note_holding(folder: RunFolder, phase: str, iteration: int, gpus: int) -> None:
    """Note that from now on so many GPUs are held for a phase. Noting the same again adds nothing."""
    before = read_lines(gpu_ledger(folder))
    now = {"phase": phase, "iteration": iteration, "gpus": gpus}
    if before and {key: before[-1][key] for key in now} == now:
        return
    append_line(gpu_ledger(folder), {"time": time.time()} | now)


def gpu_hours(folder: RunFolder, until: float) -> list[dict[str, Any]] | None:
    """GPU-hours of every phase of every iteration, in the order in which they came; None for a run that never had GPUs.

    Counted is what was held, used or not: from the moment at which a phase's servers may take their GPUs to the moment at
    which the next phase's may, so that starting and stopping are paid by the phase that causes them. `until`: Unix time.
    """
    entries = read_lines(gpu_ledger(folder))
    if not any(entry["gpus"] for entry in entries):
        return None
    hours: dict[tuple[int, str], float] = {}
    for entry, following in pairwise([*entries, {"time": until}]):
        key = (entry["iteration"], entry["phase"])
        if entry["phase"] != REST:
            hours[key] = hours.get(key, 0.0) + entry["gpus"] * max(following["time"] - entry["time"], 0) / 3600
    return [
        {"iteration": iteration, "phase": phase, "gpu_hours": round(value, 6)} for (iteration, phase), value in hours.items()
    ]


def cpu_ledger(folder: RunFolder) -> Path:
    """One JSON object a line: the `cpu_seconds` that `step` of `iteration` had cost when it ended."""
    return folder.root / "cpu.jsonl"


def note_cpu(folder: RunFolder, step: str, iteration: int, seconds: float) -> None:
    """Note what a step had cost when it ended."""
    append_line(cpu_ledger(folder), {"iteration": iteration, "step": step, "cpu_seconds": round(seconds, 2)})


def cpu_seconds(folder: RunFolder) -> list[dict[str, Any]] | None:
    """The finished steps of a run with their CPU-seconds, in the order in which they ended; None for a run that noted none.

    What a step that was cut short had cost is not counted. On a cluster nobody notes any: there GPU-hours are what counts.
    """
    return read_lines(cpu_ledger(folder)) or None
