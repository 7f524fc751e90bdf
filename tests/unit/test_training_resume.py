"""A phase that was stopped anywhere and started again ends with the very weights of one that was not."""

import errno
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.training_models import metric_rows, write_model, write_phase

from rdiverse.config import load_config
from rdiverse.lm.weights import weights_version
from rdiverse.runs.tables import DATASET, write_table
from rdiverse.training import checkpoints
from rdiverse.training.errors import TrainingError
from rdiverse.training.launch.phase import Phase
from rdiverse.training.launch.result import finished
from rdiverse.training.prompts import phase_rows
from rdiverse.training.settings import grpo_settings
from rdiverse.training.train import build, fit, load_tokenizer

SHAPE: dict[str, Any] = {"steps": 4, "updates_per_step": 4, "rows_per_forward": 2}  # 2 forward passes an update


class StopError(Exception):
    """What stands for the end of the process."""


def by_content(step: int, completions: Sequence[str], answers: Sequence[str]) -> list[dict[str, float]]:
    del step, answers
    return [{"reward": len(text) % 5 / 5 + len(text.split()) / 7, "malformed": 0.0} for text in completions]


def run(phase: Phase, prepare: Callable[[Any], None] = lambda _trainer: None, reward: Any = by_content) -> None:
    config = load_config(phase.config_path)
    trainer, recorder = build(phase, config, reward)
    prepare(trainer)
    fit(phase, grpo_settings(phase, config), trainer, recorder)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("resume") / "model")


@pytest.fixture(scope="module")
def uninterrupted(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Phase:
    phase = write_phase(tmp_path_factory.mktemp("whole"), model, **SHAPE)
    run(phase)
    return phase


def in_third_rollout(trainer: Any) -> None:
    def reward(step: int, completions: Sequence[str], answers: Sequence[str]) -> list[dict[str, float]]:
        if step == 2:
            raise StopError
        return by_content(step, completions, answers)

    trainer.reward_function = reward


def in_the_middle_of_an_update(trainer: Any) -> None:
    original, calls = trainer.compute_loss, []

    def compute_loss(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == 2 * 8 + 5:  # third step, third update, first of its two passes
            raise StopError
        return original(*args, **kwargs)

    trainer.compute_loss = compute_loss


def before_the_checkpoint_is_marked(trainer: Any) -> None:
    original = trainer.accelerator.wait_for_everyone

    def wait() -> None:
        if trainer.state.global_step == 8:
            raise StopError
        original()

    trainer.accelerator.wait_for_everyone = wait


def while_publishing(trainer: Any) -> None:
    def write(folder: Path, _weights: Any) -> None:
        (folder / "model.safetensors").write_bytes(b"half")
        raise StopError

    trainer.write = write


@pytest.mark.parametrize(
    ("stop", "steps_kept"),
    [(in_third_rollout, 2), (in_the_middle_of_an_update, 2), (before_the_checkpoint_is_marked, 1), (while_publishing, 3)],
)
def test_resumed_weights_are_those_of_an_uninterrupted_run(
    stop: Callable[[Any], None], steps_kept: int, model: Path, tmp_path: Path, uninterrupted: Phase
) -> None:
    phase = write_phase(tmp_path, model, **SHAPE)
    with pytest.raises(StopError):
        run(phase, stop)
    assert finished(phase) is None
    assert not phase.output.exists()
    checkpoint = checkpoints.last_complete(phase.resume_dir)
    assert checkpoint
    assert checkpoints.update(checkpoint) == 4 * steps_kept, "checkpoints stand at the end of a generation batch"

    run(phase)

    result = finished(phase)
    assert result
    assert result.resumed_steps == steps_kept
    assert result.version == weights_version(uninterrupted.output)
    assert (phase.output / "model.safetensors").read_bytes() == (uninterrupted.output / "model.safetensors").read_bytes()
    assert not phase.resume_dir.exists()
    rows, expected = metric_rows(phase), metric_rows(uninterrupted)
    assert [row["step"] for row in rows] == [1, 2, 3, 4], "no step is told twice"
    for name in ("reward", "loss", "kl", "entropy", "completion_tokens", "clip_fraction", "gradient_norm"):
        assert [row[name] for row in rows] == [row[name] for row in expected], name


def test_the_same_seed_gives_the_same_weights_and_another_gives_others(
    model: Path, tmp_path: Path, uninterrupted: Phase
) -> None:
    again = write_phase(tmp_path / "again", model, **SHAPE)
    run(again)
    other = write_phase(tmp_path / "other", model, seed=1, **SHAPE)
    run(other)
    assert weights_version(again.output) == weights_version(uninterrupted.output) != weights_version(other.output)


def test_a_finished_phase_is_not_run_again(uninterrupted: Phase) -> None:
    result = finished(uninterrupted)
    assert result
    assert result.steps == 4
    assert set(result.seconds) == {"startup", "rollout", "reward", "update", "save"}
    assert result.reward_terms[0]["reward"] == metric_rows(uninterrupted)[0]["reward"]
    # Weights that are not those that the result names are no end.
    result.save(uninterrupted.result_path)
    altered = json.loads(uninterrupted.result_path.read_text()) | {"version": "another"}
    other = replace(uninterrupted, output=uninterrupted.output)
    uninterrupted.result_path.write_text(json.dumps(altered))
    assert finished(other) is None
    result.save(uninterrupted.result_path)


def test_rows_of_other_phases_stay(model: Path, tmp_path: Path) -> None:
    phase = write_phase(tmp_path, model, **SHAPE)
    theirs = [{"phase": "challenger", "iteration": 1, "step": 9}, {"phase": "solver", "iteration": 2, "step": 9}]
    stale = {"phase": "solver", "iteration": 1, "step": 2, "of": "a dead attempt"}
    phase.metrics_path.write_text("".join(json.dumps(row) + "\n" for row in [*theirs, stale]))
    run(phase)
    assert metric_rows(phase)[:2] == theirs
    assert [row["step"] for row in metric_rows(phase)[2:]] == [1, 2, 3, 4]
    assert all("of" not in row for row in metric_rows(phase))


def test_checkpoints_of_another_dataset_are_not_resumed_from(model: Path, tmp_path: Path) -> None:
    phase = write_phase(tmp_path, model, **SHAPE)
    with pytest.raises(StopError):
        run(phase, in_third_rollout)
    assert phase.dataset
    rows = [{"question": f"what is {n} ?", "answer": "1", "source": "new", "iteration": 1, "share": 0.5} for n in range(9)]
    write_table(phase.dataset, DATASET, rows)  # the same name, other rows: the step before was redone
    run(phase)
    result = finished(phase)
    assert result
    assert (result.resumed_steps, result.steps) == (0, 4)


def test_a_new_iteration_begins_at_its_datasets_first_row_and_goes_on_where_it_was_stopped(model: Path, tmp_path: Path) -> None:
    first = write_phase(tmp_path / "1", model, **SHAPE)
    with pytest.raises(StopError):
        run(first, in_third_rollout)  # leaves a checkpoint behind
    run(first)
    second = replace(write_phase(tmp_path / "2", first.output, **SHAPE), iteration=2, seed=1, resume_dir=first.resume_dir)
    assert second.dataset
    table = [
        {"question": f"what is {n % 20} plus {n % 7} ?", "answer": str(n), "source": "new", "iteration": 2, "share": 0.5}
        for n in range(30)
    ]
    write_table(second.dataset, DATASET, table)
    expected = [row["answer"] for row in phase_rows(second, load_config(second.config_path), load_tokenizer(model))]
    assert len(set(expected)) == 4 * 4, "every question once"
    seen: list[tuple[int, list[str]]] = []
    stops = [2]

    def reward(step: int, completions: Sequence[str], answers: Sequence[str]) -> list[dict[str, float]]:
        seen.append((step, list(answers)))
        if step in stops:
            stops.clear()
            raise StopError
        return by_content(step, completions, answers)

    with pytest.raises(StopError):
        run(second, reward=reward)
    run(second, reward=reward)
    assert [step for step, _answers in seen] == [0, 1, 2, 2, 3]
    for step, answers in seen:
        assert answers == [answer for answer in expected[4 * step : 4 * step + 4] for _ in range(4)]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_reward_that_is_no_number_ends_training_and_leaves_the_checkpoint(model: Path, tmp_path: Path, value: float) -> None:
    def reward(step: int, completions: Sequence[str], answers: Sequence[str]) -> list[dict[str, float]]:
        scored = by_content(step, completions, answers)
        if step == 2:
            scored[3]["reward"] = value
        return scored

    phase = write_phase(tmp_path, model, **SHAPE)
    with pytest.raises(TrainingError, match="a reward is no finite number"):
        run(phase, reward=reward)
    checkpoint = checkpoints.last_complete(phase.resume_dir)
    assert checkpoint
    assert checkpoints.update(checkpoint) == 8


def test_a_full_disk_while_saving_leaves_the_checkpoint_before(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uninterrupted: Phase
) -> None:
    import torch

    phase = write_phase(tmp_path, model, **SHAPE)
    save, calls = torch.save, []

    def full(obj: Any, where: Any, *args: Any, **kwargs: Any) -> None:
        calls.append(where)
        if "checkpoint-12" in str(where):
            Path(where).write_bytes(b"part")
            raise OSError(errno.ENOSPC, "No space left on device", str(where))
        save(obj, where, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", full)
        with pytest.raises(OSError, match="No space left on device"):
            run(phase)
    assert any("checkpoint-12" in str(where) for where in calls)
    assert checkpoints.last_complete(phase.resume_dir) == checkpoints.folder(phase.resume_dir, 8)
    run(phase)
    assert weights_version(phase.output) == weights_version(uninterrupted.output)
