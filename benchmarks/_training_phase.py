"""The phase that the training benchmarks measure, and its seconds."""

import random
import statistics
from pathlib import Path
from typing import Any

from rdiverse.config import RunConfig, dump_config, load_config
from rdiverse.lm.weights import resolve_resource
from rdiverse.nano.corpus import held_out, pose, uniform_chain
from rdiverse.nano.language import write
from rdiverse.runs.tables import DATASET, write_table
from rdiverse.selfplay.roles import Role
from rdiverse.training.launch import Phase

CONFIG = Path(__file__).parents[1] / "configs" / "local.yaml"
STEPS = 4
"""Of a measured phase; the first one warms up and does not count."""


def questions(seed: int, count: int) -> list[dict[str, Any]]:
    """Rows of a dataset: questions of all skills with their true answers."""
    rng = random.Random(seed)  # noqa: S311 - exercises
    rows: list[dict[str, Any]] = []
    while len(rows) < count:
        problem = pose(uniform_chain(rng), rng)
        if problem is not None and not held_out(problem):
            answer = str(problem.truth)
            rows.append({"question": write(problem, rng), "answer": answer, "source": "new", "iteration": 1, "share": 0.5})
    return rows


def phase_of(folder: Path, *overrides: str) -> tuple[Phase, RunConfig]:
    """A Solver's phase of STEPS steps on 200 questions with their true answers."""
    folder.mkdir(parents=True, exist_ok=True)
    config = load_config(CONFIG, [f"solver.training.steps={STEPS}", *overrides])
    (folder / "config.yaml").write_text(dump_config(config), encoding="utf-8")
    write_table(folder / "dataset.parquet", DATASET, questions(0, 200))
    phase = Phase(
        role=Role.SOLVER, iteration=1, config_path=folder / "config.yaml", model=Path(resolve_resource(config.model)),
        output=folder / "weights", resume_dir=folder / "resume", log_path=folder / "log.txt",
        metrics_path=folder / "metrics.jsonl", events_path=folder / "events.jsonl", seed=0, dataset=folder / "dataset.parquet",
    )  # fmt: skip
    return phase, config


def ours_seconds(phase: Phase, config: RunConfig) -> dict[str, float]:
    """Train in this process. Gives the median seconds of a step and of its parts."""
    from rdiverse.training.train import build, reward_of

    with reward_of(phase, config) as reward:
        trainer, recorder = build(phase, config, reward)
        trainer.train()
    return medians([row["seconds"] for row in recorder.rows[1:]])


def medians(rows: list[dict[str, float]]) -> dict[str, float]:
    """Each part's median over steps or phases."""
    return {part: round(statistics.median(row[part] for row in rows), 4) for part in rows[0]}
