"""`rdiverse nano controlled`: the controlled test, from the trainer that the loop uses."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rdiverse.config import ConfigError, RunConfig
from rdiverse.lm.folders import model_folder
from rdiverse.lm.weights import validate
from rdiverse.nano.controlled import FEW, MANY, Accuracy, accuracy, few_skills, lessons
from rdiverse.report.comparison.statistics import paired, spread
from rdiverse.runs.files import write_json
from rdiverse.runs.tables import DATASET, write_table
from rdiverse.selfplay.roles import Role
from rdiverse_pipelines.local.train import train_phase

BASE = "base"


def controlled(
    config: RunConfig, output: Path, seeds: int, few: int, questions: int, tell: Callable[[str], None]
) -> dict[str, Any]:
    """Train and measure both arms for every seed; write and return `output`/controlled.json.

    An arm that has been measured is not done again. Raises ConfigError when it was measured otherwise, TrainingFailed.
    """
    base = model_folder(config.model)
    terms = {
        "base_model": validate(base),
        "few_skills": few,
        "questions": questions,
        "training": config.solver.training.model_dump(mode="json"),
    }
    arms: dict[str, dict[int, Accuracy]] = {BASE: {}, MANY: {}, FEW: {}}
    for seed in range(seeds):
        for arm, by_seed in arms.items():
            folder = output / f"{arm}-seed{seed}"
            found = _measured(folder / "accuracy.json", terms)
            if found is None:
                found = accuracy(_train(config, folder, arm, seed, few, questions, base), few_skills(seed, few), seed)
                write_json(folder / "accuracy.json", {"terms": terms, "accuracy": asdict(found)})
            by_seed[seed] = found
            tell(f"seed {seed}, {arm}: sampled {found.sampled:.3f}, greedy {found.greedy:.3f}")
    result = {"terms": terms, **_compared(arms)}
    write_json(output / "controlled.json", result)
    return result


def _train(config: RunConfig, folder: Path, arm: str, seed: int, few: int, questions: int, base: Path) -> Path:
    if arm == BASE:
        return base
    dataset = folder / "dataset.parquet"
    write_table(dataset, DATASET, lessons(arm, seed, few, questions))
    weights = folder / "solver"
    train_phase(config.model_copy(update={"seed": seed}), Role.SOLVER, weights, base, dataset, "", 1)
    return weights


def _measured(path: Path, terms: dict[str, Any]) -> Accuracy | None:
    if not path.is_file():
        return None
    data = json.loads(path.read_text(encoding="utf-8"))
    if data["terms"] != terms:
        raise ConfigError(f"{path} was measured on other terms; choose another folder")
    return Accuracy(**data["accuracy"])


def _compared(arms: dict[str, dict[int, Accuracy]]) -> dict[str, Any]:
    """Means with Student's t intervals over seeds, and many minus few, seed by seed."""
    fields = list(Accuracy.__dataclass_fields__)
    values = {
        arm: {name: {seed: getattr(each, name) for seed, each in found.items()} for name in fields}
        for arm, found in arms.items()
    }
    spreads = {arm: {name: spread(by_seed) for name, by_seed in table.items()} for arm, table in values.items()}
    differences = {name: paired(values[MANY][name], values[FEW][name]) for name in fields}
    return {
        "arms": {arm: {name: found and asdict(found) for name, found in table.items()} for arm, table in spreads.items()},
        "many_minus_few": {name: found and asdict(found) for name, found in differences.items()},
    }
