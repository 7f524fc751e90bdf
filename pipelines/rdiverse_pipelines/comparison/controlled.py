"""The controlled test: Solvers trained on different lessons by the trainer that the loop uses, measured and compared."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rdiverse.config import ConfigError, RunConfig
from rdiverse.lm.folders import model_folder
from rdiverse.lm.weights import validate
from rdiverse.runs.files import write_json
from rdiverse.runs.tables import DATASET, write_table
from rdiverse.selfplay.roles import Role
from rdiverse_pipelines.comparison.statistics import paired, spread
from rdiverse_pipelines.local.train import train_phase

BASE = "base"
"""The arm that is not trained."""


@dataclass(frozen=True)
class Lessons:
    """What a world gives to the test."""

    arms: tuple[str, str]
    """Names of the two ways to choose questions; compared is the first minus the second."""
    rows: Callable[[str, int], Sequence[Mapping[str, Any]]]
    """Arm, seed -> training set (`rdiverse.runs.tables.DATASET`)."""
    measure: Callable[[Path, int], Mapping[str, float]]
    """Weights, seed -> accuracy by name, in 0..1; the same names always."""
    terms: Mapping[str, Any]
    """What else decides the figures, for the record."""


def controlled(
    config: RunConfig, output: Path, seeds: int, lessons: Lessons, tell: Callable[[str, int, Mapping[str, float]], None]
) -> dict[str, Any]:
    """Train and measure every arm for every seed; write and return `output`/controlled.json.

    An arm that has been measured is not done again. `tell` hears of each arm, seed and its accuracy. Raises ConfigError
    when it was measured otherwise, TrainingFailed.
    """
    base = model_folder(config.model)
    terms = {"base_model": validate(base), **lessons.terms, "training": config.solver.training.model_dump(mode="json")}
    arms: dict[str, dict[int, Mapping[str, float]]] = {arm: {} for arm in (BASE, *lessons.arms)}
    for seed in range(seeds):
        for arm, by_seed in arms.items():
            folder = output / f"{arm}-seed{seed}"
            found = _measured(folder / "accuracy.json", terms)
            if found is None:
                weights = base if arm == BASE else _train(config, folder, lessons.rows(arm, seed), seed, base)
                found = lessons.measure(weights, seed)
                write_json(folder / "accuracy.json", {"terms": terms, "accuracy": found})
            by_seed[seed] = found
            tell(arm, seed, found)
    result = {"terms": terms, **_compared(arms, *lessons.arms)}
    write_json(output / "controlled.json", result)
    return result


def _train(config: RunConfig, folder: Path, rows: Sequence[Mapping[str, Any]], seed: int, base: Path) -> Path:
    dataset, weights = folder / "dataset.parquet", folder / "solver"
    write_table(dataset, DATASET, rows)
    train_phase(config.model_copy(update={"seed": seed}), Role.SOLVER, weights, base, dataset, "", 1)
    return weights


def _measured(path: Path, terms: dict[str, Any]) -> Mapping[str, float] | None:
    if not path.is_file():
        return None
    data = json.loads(path.read_text(encoding="utf-8"))
    if data["terms"] != terms:
        raise ConfigError(f"{path} was measured on other terms; choose another folder")
    return dict(data["accuracy"])


def _compared(arms: Mapping[str, Mapping[int, Mapping[str, float]]], first: str, second: str) -> dict[str, Any]:
    """Means with Student's t intervals over seeds, and the first arm minus the second, seed by seed."""
    names = list(arms[BASE][0])
    values = {
        arm: {name: {seed: found[name] for seed, found in by_seed.items()} for name in names} for arm, by_seed in arms.items()
    }
    spreads = {arm: {name: spread(by_seed) for name, by_seed in table.items()} for arm, table in values.items()}
    differences = {name: paired(values[first][name], values[second][name]) for name in names}
    return {
        "arms": {arm: {name: found and asdict(found) for name, found in table.items()} for arm, table in spreads.items()},
        f"{first}_minus_{second}": {name: found and asdict(found) for name, found in differences.items()},
    }
