"""Learning happens in the nano world: the Solver's accuracy rises with true labels, the Challenger goes where it is paid."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.support.training_models import metric_rows

from rdiverse.config import dump_config, load_config
from rdiverse.lm.weights import resolve_resource
from rdiverse.nano.benchmark import read_benchmark
from rdiverse.nano.corpus import held_out, pose, uniform_chain
from rdiverse.nano.language import write
from rdiverse.nano.oracle import oracle
from rdiverse.nano.sampling import complete_texts
from rdiverse.runs.tables import DATASET, write_table
from rdiverse.selfplay.parsing import last_boxed, parse_proposal
from rdiverse.selfplay.roles import Role
from rdiverse.training.launch.phase import Phase
from rdiverse.training.settings import grpo_settings
from rdiverse.training.train import build, fit, reward_of

CONFIG = Path(__file__).parents[2] / "configs" / "local.yaml"


def local_phase(folder: Path, role: Role, seed: int, *overrides: str) -> Phase:
    """A phase as `rdiverse run` has it, on 600 questions with their true answers; none of the benchmark's is among them."""
    config = load_config(CONFIG, overrides)
    (folder / "config.yaml").write_text(dump_config(config))
    rng = random.Random(seed)
    rows: list[dict[str, object]] = []
    while len(rows) < 600:
        problem = pose(uniform_chain(rng), rng)
        if problem is not None and not held_out(problem):
            answer = str(problem.truth)
            rows.append({"question": write(problem, rng), "answer": answer, "source": "new", "iteration": 1, "share": 0.5})
    write_table(folder / "dataset.parquet", DATASET, rows)
    return Phase(
        role=role, iteration=1, config_path=folder / "config.yaml", model=Path(resolve_resource(config.model)),
        output=folder / "weights", resume_dir=folder / "resume", log_path=folder / "log.txt",
        metrics_path=folder / "metrics.jsonl", events_path=folder / "events.jsonl", seed=seed,
        dataset=folder / "dataset.parquet",
    )  # fmt: skip


def sampled_accuracy(model_path: Path) -> float:
    """Mean accuracy of two samples a benchmark question."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = AutoModelForCausalLM.from_pretrained(model_path).eval(), AutoTokenizer.from_pretrained(model_path)
    rows = [row for row in read_benchmark() for _ in range(2)]
    texts = complete_texts(model, tokenizer, [f"<solver> {row.question}" for row in rows], 64, seed=5)
    return sum(last_boxed(text) == row.answer for text, row in zip(texts, rows, strict=True)) / len(rows)


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_forty_solver_steps_raise_held_out_accuracy_by_eight_points(seed: int, tmp_path: Path) -> None:
    phase = local_phase(tmp_path, Role.SOLVER, seed, "solver.training.steps=40")
    config = load_config(phase.config_path)
    with reward_of(phase, config) as reward:
        trainer, recorder = build(phase, config, reward)
        fit(phase, grpo_settings(phase, config), trainer, recorder)
    before, after = sampled_accuracy(phase.model), sampled_accuracy(phase.output)
    print(f"held-out sampled accuracy, seed {seed}: {before:.3f} -> {after:.3f}")
    assert after - before >= 0.08


@pytest.mark.long
def test_the_challengers_proposals_move_to_the_skill_that_is_paid_for(tmp_path: Path) -> None:
    def products(step: int, completions: Sequence[str], answers: Sequence[str]) -> list[dict[str, float]]:
        del step, answers
        found = []
        for text in completions:
            proposal = parse_proposal(text)
            skill = oracle.skill(proposal.question) if proposal else None
            product = float(skill is not None and skill.startswith("product"))
            found.append({"reward": product - float(skill is None), "boxed": product, "malformed": float(proposal is None)})
        return found

    # Over twenty steps the share grows by .39 to .42 with seeds 0, 1 and 2; over fifteen by .27 to .31.
    phase = local_phase(tmp_path, Role.CHALLENGER, 0, "challenger.training.steps=20")
    config = load_config(phase.config_path)
    trainer, recorder = build(phase, config, products)
    fit(phase, grpo_settings(phase, config), trainer, recorder)
    share = [row["boxed"] for row in metric_rows(phase)]
    print("share of products:", share)
    assert sum(share[-3:]) / 3 > sum(share[:3]) / 3 + 0.3
    assert metric_rows(phase)[-1]["malformed"] < 0.1
