"""The controlled test goes on from what has been measured, and comes to what is committed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.support.local_run import LOCAL

from rdiverse.config import ConfigError, load_config
from rdiverse.lm.folders import model_folder
from rdiverse.lm.weights import validate
from rdiverse_pipelines.comparison.controlled import Lessons, controlled

COMMITTED = Path(__file__).parents[2] / "docs" / "results" / "controlled" / "controlled.json"
CONFIG = load_config(LOCAL)


def never(*arguments: Any) -> Any:
    raise AssertionError(f"nothing is left to do: {arguments}")


@pytest.fixture
def measured(tmp_path: Path) -> dict[str, Any]:
    """The committed figures, seed by seed, as the test notes them."""
    stands: dict[str, Any] = json.loads(COMMITTED.read_text())
    training = CONFIG.solver.training.model_dump(mode="json")
    terms = {"base_model": validate(model_folder(CONFIG.model)), "questions": 640, "training": training}
    for arm, names in stands["arms"].items():
        for seed in range(3):
            folder = tmp_path / f"{arm}-seed{seed}"
            folder.mkdir()
            accuracy = {name: found["values"][str(seed)] for name, found in names.items()}
            (folder / "accuracy.json").write_text(json.dumps({"terms": terms, "accuracy": accuracy}))
    return stands


def lessons(**terms: Any) -> Lessons:
    return Lessons(("many", "few"), never, never, terms)


def test_what_has_been_measured_is_not_done_again(measured: dict[str, Any], tmp_path: Path) -> None:
    heard: list[tuple[str, int]] = []

    def tell(arm: str, seed: int, _: Mapping[str, float]) -> None:
        heard.append((arm, seed))

    controlled(CONFIG, tmp_path, 3, lessons(questions=640), tell)
    written = json.loads((tmp_path / "controlled.json").read_text())
    assert {name: written[name] for name in ("arms", "many_minus_few")} == {
        name: measured[name] for name in ("arms", "many_minus_few")
    }
    assert heard == [(arm, seed) for seed in range(3) for arm in ("base", "many", "few")]


def test_what_was_measured_otherwise_is_refused(measured: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"base-seed0/accuracy.json was measured on other terms"):
        controlled(CONFIG, tmp_path, 3, lessons(questions=64), never)
