"""The Challenger's reward over the wire: what is asked, side by side, and what becomes of a service's failures."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.training_models import write_phase
from tests.support.training_services import addresses, free_port, services, share_of

from rdiverse.config import load_config
from rdiverse.selfplay.roles import Role
from rdiverse.training.errors import TrainingError
from rdiverse.training.launch.phase import Phase
from rdiverse.training.reward.remote import RemoteServices
from rdiverse.training.train import reward_of

QUESTIONS = [f"what is {number} plus 1 ?" for number in (1, 2, 3, 1)]
COMPLETIONS = [f"<question> {question} </question> \\boxed{{ 2 }}" for question in QUESTIONS]


@pytest.fixture
def phase(tmp_path: Path) -> Phase:
    return replace(write_phase(tmp_path, tmp_path / "model", Role.CHALLENGER), solver_weights="served")


def set_addresses(patch: pytest.MonkeyPatch, found: dict[str, str]) -> None:
    for name, value in found.items():
        patch.setenv(name, value)


def test_shares_and_penalties_come_back_in_the_order_of_the_questions(phase: Phase, monkeypatch: pytest.MonkeyPatch) -> None:
    with services() as found:
        set_addresses(monkeypatch, found)
        for iteration, p_map in ((1, 0.0), (2, 0.1)):
            with reward_of(replace(phase, iteration=iteration), load_config(phase.config_path)) as reward:
                scored = reward(0, COMPLETIONS, [""] * 4)
            assert [terms["p_rep"] for terms in scored] == [0.5, 0.25, 0.25, 0.5]
            assert [terms["p_map"] for terms in scored] == [p_map] * 4, "only earlier iterations are seen"
            expected = [min(share_of(question), 1 - share_of(question)) for question in QUESTIONS]
            assert [terms["uncertainty"] for terms in scored] == pytest.approx(expected)


def test_solver_and_diversity_are_asked_side_by_side(phase: Phase, monkeypatch: pytest.MonkeyPatch) -> None:
    with services(seconds=4) as found:
        set_addresses(monkeypatch, found)
        with reward_of(phase, load_config(phase.config_path)) as reward:
            began = time.monotonic()
            reward(0, COMPLETIONS, [""] * 4)
    assert 4 <= time.monotonic() - began < 7


def test_a_solver_with_other_weights_ends_training(phase: Phase, monkeypatch: pytest.MonkeyPatch) -> None:
    with services() as found:
        set_addresses(monkeypatch, found)
        older = replace(phase, solver_weights="older")
        refused = pytest.raises(TrainingError, match=r"the Solver service failed: .*other weights are served")
        with reward_of(older, load_config(phase.config_path)) as reward, refused:
            reward(0, COMPLETIONS, [""] * 4)


def test_an_address_that_nobody_gave_is_named(phase: Phase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RDIVERSE_SOLVER_ADDRESS", raising=False)
    with (
        pytest.raises(TrainingError, match="RDIVERSE_SOLVER_ADDRESS is not set"),
        reward_of(phase, load_config(phase.config_path)),
    ):
        pass


def test_a_service_that_was_never_there_is_given_up_within_the_rewards_time(
    phase: Phase, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_addresses(monkeypatch, addresses(free_port()))
    text = phase.config_path.read_text().replace("timeout_seconds: 3600.0", "timeout_seconds: 3.0")
    phase.config_path.write_text(text)
    config = load_config(phase.config_path)
    began = time.monotonic()
    given_up = pytest.raises(TrainingError, match="the Solver service could not be reached for")
    with RemoteServices(phase, config) as remote, given_up:
        remote.shares(0, QUESTIONS)
    assert time.monotonic() - began < 30


def test_a_service_is_given_up_after_its_own_time_too(phase: Phase, monkeypatch: pytest.MonkeyPatch) -> None:
    set_addresses(monkeypatch, addresses(free_port()))
    config = load_config(phase.config_path)
    with RemoteServices(phase, config, gone_seconds=0.0) as remote:
        remote._solver._caller._retry_seconds = 1.0
        with pytest.raises(TrainingError, match="the Solver service could not be reached"):
            remote.shares(0, QUESTIONS)


def test_no_reward_is_made_up_where_answers_are_missing(phase: Phase, monkeypatch: pytest.MonkeyPatch) -> None:
    with services() as found:
        set_addresses(monkeypatch, found)
        config = load_config(phase.config_path)
        too_few = pytest.raises(TrainingError, match="gave 3 answers to 4 questions")
        with RemoteServices(phase, config) as remote, too_few:
            remote._patiently("Solver", lambda _left: [1.0] * 3, 4)
