"""What a comparison needs of a finished run beyond the run's own summary."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from rdiverse.runs.tables import read_table
from rdiverse.selfplay.repetition import bleu_clusters, p_rep
from rdiverse_pipelines.comparison.provenance import provenance
from rdiverse_pipelines.comparison.setting import setting_of
from rdiverse_pipelines.comparison.summaries import Summary
from rdiverse_pipelines.context import RunContext

Row = dict[str, Any]


def summarise_run(run: RunContext) -> Summary:
    """Read a finished run's folder."""
    own = json.loads(run.folder.summary.read_text(encoding="utf-8"))
    rows = []
    found: set[str] = set()
    for row in own["iterations"]:
        # The base model proposes nothing.
        measured = measure_iteration(run, row["iteration"], found) if row["iteration"] else {}
        rows.append({key: value for key, value in row.items() if key != "seconds"} | {"measured": measured})
    return Summary(
        method=run.config.method,
        seed=run.config.seed,
        setting=setting_of(run.config),
        iterations=rows,
        skills=_skills(run, len(rows)),
        wall_seconds=own["wall_seconds"],
        made=provenance(run.folder),
    )


def measure_iteration(run: RunContext, t: int, found: set[str]) -> Row:
    """The figures of iteration t >= 1. Skills that were kept are added to `found`."""
    labels = read_table(run.folder.iteration(t) / "labels.parquet")
    curated = read_table(run.folder.iteration(t) / "curated.parquet")
    by_index = {row["index"]: row for row in labels}
    kept = [row for row in curated if row["status"] == "kept"]
    found |= {skill for row in kept if (skill := by_index[row["index"]]["skill"]) is not None}
    words = _p_rep_by_words(run, [row["question"] for row in kept])
    remembered = any(row["nearest_question"] is not None for row in kept)
    world = set(run.oracle.skills()) if run.oracle else set()
    return {
        "p_rep_spread": _spread([row["p_rep"] for row in kept]),
        "p_rep_words": float(np.mean(words)) if len(words) else None,
        "p_rep_words_spread": _spread(words),
        "p_map_spread": _spread([row["p_map"] for row in kept]) if remembered else None,
        "coverage": len(found & world) / len(world) if world else None,
        "labels": _by_consistency(labels),
    }


def _p_rep_by_words(run: RunContext, questions: list[str]) -> Sequence[float]:
    """What R-Zero's penalty would say of the kept questions, were they one batch."""
    if not questions:
        return []
    return list(p_rep(bleu_clusters(questions, run.config.penalty.cluster_threshold), len(questions)))


def _spread(values: Sequence[float]) -> float | None:
    return float(np.std(values)) if len(values) else None


def _by_consistency(labels: list[Row]) -> list[list[int]]:
    """[right, known] of the labels whose truth is known, by tenth of self-consistency."""
    counts = [[0, 0] for _ in range(11)]
    for row in labels:
        if row["truth_agrees"] is not None:
            tenth = counts[round(row["share"] * 10)]
            tenth[0] += row["truth_agrees"]
            tenth[1] += 1
    return counts


def _skills(run: RunContext, iterations: int) -> Row:
    """Sampled accuracy of every skill of the held-out questions, iteration by iteration."""
    read = [json.loads((run.folder.iteration(t) / "evaluation.json").read_text(encoding="utf-8")) for t in range(iterations)]
    names = [skill["skill"] for skill in read[0].get("skills", [])]
    rows = [[round(skill["accuracy_sampled"], 4) for skill in each.get("skills", [])] for each in read]
    return {"names": names, "accuracy_sampled": rows}
