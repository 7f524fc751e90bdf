"""A policy draws the same tokens wherever it runs: behind a real server, and in the trainer's own rollouts."""

from pathlib import Path
from typing import Any

import pytest
from tests.support.inference_serving import served
from tests.support.training_models import KINDS, write_model, write_phase

from rdiverse.config import RunConfig, SamplingConfig, load_config
from rdiverse.inference.client import LanguageModelClient
from rdiverse.lm.tokenizer import ChatTokenizer, visible
from rdiverse.selfplay.prompts import RenderedPrompt
from rdiverse.selfplay.roles import Role
from rdiverse.selfplay.seeds import derive_seed
from rdiverse.training.launch.phase import Phase
from rdiverse.training.train import build

GROUPS, SAMPLES, ROWS, TOKENS = 6, 4, 8, 24
"""Two prompts fill a batch, and prompts have different lengths: rows are padded, and three batches follow each other."""


def no_reward(step: int, completions: Any, answers: Any) -> list[dict[str, float]]:
    del step, answers
    return [{"reward": 0.0} for _ in completions]


def phase_of(folder: Path, model: Path, role: Role, sampling: dict[str, Any]) -> tuple[Phase, RunConfig]:
    """A phase whose prompts have different lengths."""
    phase = write_phase(
        folder, model, role, seed=11, prompts_per_step=GROUPS, group_size=SAMPLES, rows_per_forward=24, sampling=sampling
    )
    config = load_config(phase.config_path)
    return phase, config.model_copy(update={"inference": config.inference.model_copy(update={"max_batch_rows": ROWS})})


def rollouts(trainer: Any, prompts: list[str]) -> list[list[int]]:
    """What the trainer's real method gives for one generation batch, before anything was learned."""
    rows = [prompt for prompt in prompts for _ in range(SAMPLES)]
    found: list[list[int]] = trainer.rollout_func(rows, trainer)["completion_ids"]
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chat_template", [False, True], ids=["plain", "template"])
def test_server_and_trainer_draw_the_same_tokens(kind: str, chat_template: bool, tmp_path: Path) -> None:
    model = write_model(tmp_path / "model", kind=kind, chat_template=chat_template)
    tokenizer = ChatTokenizer(model)
    questions = ["what is 1 plus 1 ?", "what ?", "a b c", "what is 19 minus 7 plus 3 minus 2 ?", "what is b ?", "a"]
    lengths = set()
    _, config = phase_of(tmp_path / "config", model, Role.SOLVER, {"max_tokens": TOKENS})
    with served("solver", config) as server, LanguageModelClient(server.address) as client:
        for number, sampling in enumerate(({"top_p": 1.0}, {"top_p": 0.99}, {"top_k": 40}, {"top_k": 5, "top_p": 0.9})):
            phase, config = phase_of(tmp_path / str(number), model, Role.SOLVER, sampling | {"max_tokens": TOKENS})
            trainer, _recorder = build(phase, config, no_reward)
            prompts = [RenderedPrompt("", f"<solver> {question}") for question in questions]
            drawn = rollouts(trainer, [tokenizer.render(prompt) for prompt in prompts])
            answers = sorted(
                client.generate(
                    prompts, SAMPLES, seed=derive_seed(11, "rollout", 0),
                    sampling=SamplingConfig(**sampling, max_tokens=TOKENS),
                ),
                key=lambda each: (each.prompt_index, each.sample_index),
            )  # fmt: skip
            texts = tokenizer.decode([visible(tokens, trainer.eos_token_ids) for tokens in drawn])
            assert [answer.text for answer in answers] == texts
            assert [answer.completion_tokens for answer in answers] == [len(tokens) for tokens in drawn]
            lengths |= {len(tokens) for tokens in drawn}
    assert len(lengths) > 2, "rows leave their batch at different steps"
