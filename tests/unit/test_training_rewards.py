"""What a completion earns: the terms that were asked for, over the whole step, whoever wrote the completions."""

import multiprocessing
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.support.training_services import free_port

from rdiverse.config import RunConfig, SolverRewardConfig
from rdiverse.grading.pool import GradingPool
from rdiverse.selfplay.methods import Method, Similarity
from rdiverse.selfplay.repetition import bleu_clusters, p_rep
from rdiverse.selfplay.rewards import PenaltyConstants
from rdiverse.training.errors import TrainingError
from rdiverse.training.exchange import Exchange
from rdiverse.training.reward.challenger import ChallengerReward
from rdiverse.training.reward.services import Repetition
from rdiverse.training.reward.solver import SolverReward

QUESTIONS = [f"what is {n} plus {n % 3} ?" for n in (1, 2, 3, 4, 1, 1, 7, 8, 9, 10, 11, 2)]
COMPLETIONS = [f"<question> {question} </question> \\boxed{{ 1 }}" for question in QUESTIONS]
COMPLETIONS[3] = "<question> what ? \\boxed{ 1 }"
COMPLETIONS[8] = "<question> what ? </question> \\boxed{ }"


class ByRule:
    """Shares by length; P_rep by BLEU clusters over what is asked; one question has no program."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[str], Similarity | int]] = []

    def shares(self, step: int, questions: Sequence[str]) -> list[float]:
        self.asked.append(("shares", list(questions), step))
        return [len(question) % 11 / 10 for question in questions]

    def repetitions(self, questions: Sequence[str], similarity: Similarity) -> list[Repetition]:
        self.asked.append(("repetitions", list(questions), similarity))
        found = p_rep(bleu_clusters(list(questions), 0.5), len(questions))
        return [
            Repetition(float(value), 0.25, failed="7" in question) for value, question in zip(found, questions, strict=True)
        ]


def rewarder(method: Method = Method.R_DIVERSE, services: ByRule | None = None) -> ChallengerReward:
    return ChallengerReward(RunConfig(model="m", method=method), services or ByRule(), Exchange(10))


def test_terms_are_combined_as_the_method_says() -> None:
    scored = rewarder()(0, COMPLETIONS, [])
    for terms, question in zip(scored, QUESTIONS, strict=True):
        if terms["malformed"]:
            continue
        share = len(question) % 11 / 10
        assert terms["uncertainty"] == min(share, 1 - share)
        assert terms["p_map"] == 0.25
        assert terms["reward"] == terms["uncertainty"] - terms["p_rep"] - terms["p_map"]


def test_malformed_completions_are_asked_about_nowhere_and_earn_less_than_any_question_could() -> None:
    services = ByRule()
    scored = rewarder(services=services)(2, COMPLETIONS, [])
    assert [row for row, terms in enumerate(scored) if terms["malformed"]] == [3, 8]
    constants = PenaltyConstants()
    worst = -(1 + constants.gamma * (1 - constants.tau_max) + (1 - constants.gamma) * (1 - constants.tau_mean))
    assert worst == -1.625
    assert scored[3]["reward"] == scored[8]["reward"] < worst
    well_formed = [question for row, question in enumerate(QUESTIONS) if row not in {3, 8}]
    assert sorted(services.asked, key=lambda call: call[0]) == [
        ("repetitions", well_formed, Similarity.PROGRAM), ("shares", well_formed, 2),
    ]  # fmt: skip


def test_a_step_without_any_question_asks_nobody() -> None:
    services = ByRule()
    assert all(terms["malformed"] for terms in rewarder(services=services)(0, ["nothing", ""], []))
    assert services.asked == []


@pytest.mark.parametrize(
    ("method", "similarity", "memory"),
    [
        (Method.R_DIVERSE, Similarity.PROGRAM, True),
        (Method.R_DIVERSE_WITHOUT_MAP, Similarity.PROGRAM, False),
        (Method.R_DIVERSE_WITHOUT_SAM, Similarity.TEXT, True),
        (Method.R_ZERO, Similarity.BLEU, False),
        (Method.NO_PENALTY, None, False),
    ],
)
def test_the_method_decides_what_counts(method: Method, similarity: Similarity | None, memory: bool) -> None:
    services = ByRule()
    scored = rewarder(method, services)(0, COMPLETIONS[:3], [])
    assert [call[2] for call in services.asked if call[0] == "repetitions"] == ([similarity] if similarity else [])
    assert all(terms["p_map"] == (0.25 if memory else 0) for terms in scored)
    assert all((terms["p_rep"] > 0) == (similarity is not None) for terms in scored)


def on_rank(rank: int, world: int, port: int, folder: Path) -> None:
    """One of two trainers with half of the completions each."""
    import json
    import os

    import torch.distributed as dist

    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    dist.init_process_group("gloo", rank=rank, world_size=world)
    share = len(COMPLETIONS) // world
    reward = ChallengerReward(RunConfig(model="m"), ByRule() if rank == 0 else None, Exchange(10))
    mine = reward(0, COMPLETIONS[rank * share : (rank + 1) * share], [])
    (folder / f"{rank}.json").write_text(json.dumps(mine))

    def fails(_items: list[int]) -> list[int]:
        raise ValueError("the Solver is gone")

    try:
        Exchange(10).on_first_rank([rank], fails)
    except (ValueError, TrainingError) as error:
        (folder / f"{rank}.txt").write_text(f"{type(error).__name__}: {error}")
    dist.destroy_process_group()


def test_two_ranks_pay_what_one_pays_and_fail_together(tmp_path: Path) -> None:
    import json

    alone = rewarder()(0, COMPLETIONS, [])
    context = multiprocessing.get_context("spawn")
    port = free_port()
    ranks = [context.Process(target=on_rank, args=(rank, 2, port, tmp_path)) for rank in range(2)]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join(60)
        assert process.exitcode == 0
    together = [terms for rank in range(2) for terms in json.loads((tmp_path / f"{rank}.json").read_text())]
    assert together == alone
    assert (tmp_path / "0.txt").read_text() == "ValueError: the Solver is gone"
    assert (tmp_path / "1.txt").read_text() == "TrainingError: ValueError on rank 0: the Solver is gone"


def test_the_solver_is_paid_for_the_pseudo_label_only() -> None:
    completions = ["so \\boxed{ 1/2 }", "\\boxed{0.5}", "\\boxed{3}", "1/2", "\\boxed{}", "\\boxed{ 0.5 } or \\boxed{ 7 }"]
    with GradingPool() as pool:
        scored = SolverReward(SolverRewardConfig(), pool)(0, completions, ["0.5"] * 6)
        assert [terms["reward"] for terms in scored] == [1, 1, 0, 0, 0, 0]
        assert [terms["malformed"] for terms in scored] == [0, 0, 0, 1, 1, 0]
        with_format = SolverReward(SolverRewardConfig(accuracy_weight=0.9), pool)(0, completions, ["0.5"] * 6)
    assert [terms["reward"] for terms in with_format] == pytest.approx([1, 1, 0.1, 0, 0, 0.1])
