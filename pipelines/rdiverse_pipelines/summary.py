"""summary.json: a run's figures, a row an iteration."""

import json
import time
from typing import Any

from rdiverse.runs.lines import read_lines
from rdiverse.runs.manifest import StepRecord, read_record
from rdiverse.selfplay.steps import RECORDED, Step
from rdiverse_pipelines.context import RunContext
from rdiverse_pipelines.usage import cpu_seconds, gpu_hours

FIGURES = (
    "label_accuracy",
    "ill_posed_share",
    "kept",
    "proposed",
    "malformed",
    "replayed",
    "mean_self_consistency",
    "effective_skills",
    "intra_iteration_repetition",
    "cross_iteration_repetition",
    "mean_cosine",
    "mean_s_max",
    "grader_timeouts",
)


def summarise(run: RunContext) -> dict[str, Any]:
    """The summary of the iterations that have been evaluated, the base model as iteration 0.

    A figure that an iteration does not have is null: the base model proposes nothing, a method without penalties has none.
    """
    rows = []
    for t in range(run.config.iterations + 1):
        records = {step: record for step in RECORDED if (record := read_record(run.folder, step, t))}
        if Step.EVALUATE in records:
            rows.append(_row(run, t, records))
    return {
        "run_id": run.folder.run_id,
        "method": str(run.config.method),
        "seed": run.config.seed,
        "iterations": rows,
        "wall_seconds": wall_seconds(run),
        "cpu_seconds": cpu_seconds(run.folder),
        "gpu_hours": gpu_hours(run.folder, time.time()),
    }


def _row(run: RunContext, t: int, records: dict[Step, StepRecord]) -> dict[str, Any]:
    evaluation = json.loads((run.folder.iteration(t) / "evaluation.json").read_text(encoding="utf-8"))
    found: dict[str, Any] = {}
    for step in (Step.PROPOSE, Step.CURATE):
        found |= records[step].results if step in records else {}
    challenger = records[Step.TRAIN_CHALLENGER].results if Step.TRAIN_CHALLENGER in records else {}
    terms = challenger.get("reward_terms") or {}
    seconds = {str(step): round(record.seconds, 3) for step, record in records.items()}
    start_up = [
        record.results["seconds"]["startup"] for record in records.values() if "startup" in record.results.get("seconds", {})
    ]
    return {
        "iteration": t,
        "accuracy_sampled": evaluation["accuracy_sampled"],
        "accuracy_greedy": evaluation["accuracy_greedy"],
        "worst_skill": evaluation["worst_skill"],
        **{name: found.get(name) for name in FIGURES},
        "reward_terms": {name: terms.get(name) for name in ("uncertainty", "p_rep", "p_map")},
        "seconds": seconds | {"of which trainer start-up": round(sum(start_up), 3)},
    }


def wall_seconds(run: RunContext) -> float:
    """Seconds during which a command worked on the run: from each session's first event to its last."""
    total, began, last = 0.0, None, 0.0
    for event in read_lines(run.folder.events):
        if event["kind"] == "session":
            total += last - began if began is not None else 0.0
            began = event["time"]
        last = event["time"]
    return round(total + (last - began if began is not None else 0.0), 3)
