"""Rank 0 shows the latest step to Prometheus; trackers get TRL's own."""

import urllib.request
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tests.support.training_models import metric_rows, write_model, write_phase
from tests.support.training_services import free_port

from rdiverse.config import load_config
from rdiverse.runs.events import EventTail
from rdiverse.selfplay.roles import Role
from rdiverse.training.exchange import Exchange
from rdiverse.training.reward.challenger import ChallengerReward
from rdiverse.training.settings import grpo_settings
from rdiverse.training.train import build, fit

FIGURES = {
    "reward", "malformed", "group_std", "equal_groups", "kl", "clip_fraction", "clip_low", "clip_high", "entropy", "loss",
    "gradient_norm", "learning_rate", "completion_tokens", "completion_tokens_max", "truncated", "rollouts",
    "tokens_per_second", "peak_memory_bytes", "step",
}  # fmt: skip


def test_every_figure_of_a_step_is_in_the_file_and_on_the_metrics_page(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model")
    phase = write_phase(tmp_path / "phase", model, steps=2, trackers=["tensorboard"])
    phase = replace(phase, metrics_address=f"127.0.0.1:{free_port()}")
    config = load_config(phase.config_path)
    pages = []

    def reward(step: int, completions: Sequence[str], answers: Sequence[str]) -> list[dict[str, float]]:
        del step, answers
        with urllib.request.urlopen(f"http://{phase.metrics_address}/metrics") as answer:
            pages.append(answer.read().decode())
        return [{"reward": float(row % 4 == 0), "malformed": 0.0} for row in range(len(completions))]

    tail = EventTail(phase.events_path)
    trainer, recorder = build(phase, config, reward)
    fit(phase, grpo_settings(phase, config), trainer, recorder)

    rows = metric_rows(phase)
    assert set(rows[0]) >= FIGURES
    assert rows[0]["reward"] == 0.25
    assert rows[0]["equal_groups"] == 0.0
    assert rows[0]["group_std"] == 0.5
    assert set(rows[0]["seconds"]) == {"rollout", "reward", "update", "save", "step"}
    parts = sum(value for part, value in rows[0]["seconds"].items() if part != "step")
    assert abs(parts - rows[0]["seconds"]["step"]) < 1e-2
    shown = {
        (sample.name, sample.labels.get("part", "")): sample
        for family in text_string_to_metric_families(pages[1])
        for sample in family.samples
    }
    for figure in FIGURES:
        sample = shown[f"rdiverse_training_{figure}", ""]
        assert sample.value == rows[0][figure], figure
        assert (sample.labels["role"], sample.labels["iteration"]) == ("solver", "1")
    assert shown["rdiverse_training_seconds", "rollout"].value == rows[0]["seconds"]["rollout"]
    assert [(event.step, event.done, event.total) for event in tail] == [("train-solver", done, 2) for done in (0, 1, 2)]
    tracked = EventAccumulator(str(tmp_path / "phase" / "tensorboard" / "solver-01")).Reload()
    for name in ("train/loss", "train/reward", "train/kl", "train/entropy", "train/terms/malformed", "train/group_std"):
        assert [point.step for point in tracked.Scalars(name)] == [1, 2], name
    assert tracked.Scalars("train/reward")[0].value == 0.25


def test_every_term_of_the_challengers_reward_is_shown(tmp_path: Path) -> None:
    phase = write_phase(tmp_path / "phase", write_model(tmp_path / "model"), Role.CHALLENGER, steps=2)
    phase = replace(phase, metrics_address=f"127.0.0.1:{free_port()}")
    config = load_config(phase.config_path)
    pay = ChallengerReward(config, None, Exchange(10))  # this model writes no question: nobody is asked
    pages = []

    def reward(step: int, completions: Sequence[str], answers: Sequence[str]) -> list[dict[str, float]]:
        with urllib.request.urlopen(f"http://{phase.metrics_address}/metrics") as answer:
            pages.append(answer.read().decode())
        return pay(step, completions, answers)

    trainer, recorder = build(phase, config, reward)
    fit(phase, grpo_settings(phase, config), trainer, recorder)
    terms = {"reward", "uncertainty", "p_rep", "p_map", "malformed", "no_program"}
    assert terms <= set(metric_rows(phase)[0])
    assert metric_rows(phase)[0]["malformed"] == 1
    for term in terms:
        assert f'rdiverse_training_{term}{{iteration="1",role="challenger"}}' in pages[1], term
