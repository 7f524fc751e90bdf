"""Summaries of runs that were never run, with figures that can be worked by hand."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rdiverse.config import RunConfig
from rdiverse.selfplay.methods import Method
from rdiverse_pipelines.comparison.setting import Setting
from rdiverse_pipelines.comparison.summaries import Summary

SKILLS = ["sum", *(f"{base}.{step}" for base in ("sum", "gap") for step in ("more", "less", "same"))]
"""Seven skills: one of one step, six of two; six is enough for a group of `2 steps`, three too few for one of `gap`."""
CONFIG = RunConfig(model="the-base", iterations=2)


def setting(base: str = "b0", **changed: Any) -> Setting:
    """What the runs share."""
    return Setting.of(CONFIG.model_copy(update=changed), {"model": base, "coder.model": "c0"})


def summary(method: Method, seed: int, accuracy: float, *, shared: Setting | None = None, **last: Any) -> Summary:
    """A run of two iterations that ends at `accuracy`; `last` replaces figures of the last iteration."""
    rows = [{"iteration": 0, "accuracy_sampled": 0.4, "accuracy_greedy": 0.8, "worst_skill": 0.1, "measured": {}}]
    for t in (1, 2):
        share = t / 2
        rows.append(
            {
                "iteration": t,
                "accuracy_sampled": 0.4 + share * (accuracy - 0.4),
                "accuracy_greedy": 0.8,
                "worst_skill": 0.1 + 0.05 * t,
                "label_accuracy": 0.9 - 0.1 * t,
                "ill_posed_share": 0.02 * t,
                "kept": 100,
                "proposed": 200,
                "malformed": 4,
                "effective_skills": 20.0 - t,
                "intra_iteration_repetition": 0.5 + 0.1 * t,
                "cross_iteration_repetition": 0.6 if t > 1 else None,
                "mean_s_max": 0.8 if t > 1 else None,
                "reward_terms": {"uncertainty": 0.6, "p_rep": 0.05 - 0.02 * t, "p_map": 0.0},
                "measured": {
                    "p_rep_spread": 0.04,
                    "p_rep_words": 0.01,
                    "p_rep_words_spread": 0.001,
                    "p_map_spread": 0.05 if t > 1 else None,
                    "coverage": 0.2 * t,
                    "labels": [[0, 0]] * 3 + [[t, 4]] + [[0, 0]] * 4 + [[9, 10]] + [[0, 0]] * 2,
                },
            }
        )
    rows[-1] |= last
    by_skill = [[0.4] * len(SKILLS), [0.5] * len(SKILLS), [accuracy] * len(SKILLS)]
    made = {"commit": "abc", "machine": "a machine, 2 cores", "finished": "2026-01-01T00:00:00+00:00"}
    return Summary(method, seed, shared or setting(), rows, {"names": SKILLS, "accuracy_sampled": by_skill}, 60.0 + seed, made)


def write_all(folder: Path, accuracies: Mapping[Method, Mapping[int, float]]) -> None:
    """Write the summaries of a comparison into `folder`/summaries."""
    for method, runs in accuracies.items():
        for seed, accuracy in runs.items():
            run = summary(method, seed, accuracy)
            run.write(folder / "summaries" / run.name)


THREE = {
    Method.R_ZERO: {0: 0.50, 1: 0.60, 2: 0.70},
    Method.R_DIVERSE: {0: 0.53, 1: 0.65, 2: 0.71, 3: 0.99},
    Method.R_DIVERSE_WITHOUT_MAP: {0: 0.45},
}
"""R-Diverse minus R-Zero: .03, .05 and .01, mean .03, standard deviation .02; seed 3 has no partner."""
