"""The rows that a phase trains on, laid out step by step."""

import random
from pathlib import Path
from typing import Any

from rdiverse.config import RunConfig
from rdiverse.lm.tokenizer import ChatTokenizer
from rdiverse.selfplay.roles import Role
from rdiverse.selfplay.seeds import derive_seed
from rdiverse.training.errors import TrainingError
from rdiverse.training.launch.phase import Phase
from rdiverse.training.settings import grpo_settings

Row = dict[str, Any]


def phase_rows(phase: Phase, config: RunConfig, tokenizer: ChatTokenizer) -> list[Row]:
    """One row a group, `steps * prompts_per_step` in all: rendered prompt, and for the Solver the answer that is right.

    The Challenger has one prompt. The Solver's questions come in a seeded order, each once before any comes again; a
    dataset smaller than a step therefore fills the step with several groups of the same question. Raises TrainingError for
    an unreadable dataset, one with fewer than `solver.min_questions` rows, and a prompt that is too long.
    """
    training = grpo_settings(phase, config)
    count = training.steps * training.prompts_per_step
    if phase.role is Role.CHALLENGER:
        prompt = tokenizer.render(config.prompts.challenger.template.render())
        distinct = [{"prompt": prompt, "answer": ""}]
        rows = distinct * count
    else:
        distinct = _solver_rows(phase.dataset, config, tokenizer)
        rows = _repeated(distinct, count, derive_seed(phase.seed, "order"))
    for row, tokens in zip(distinct, tokenizer.encode_rendered([row["prompt"] for row in distinct]), strict=True):
        if len(tokens) > training.max_prompt_tokens:
            raise TrainingError(
                f"a prompt has {len(tokens)} tokens, more than max_prompt_tokens = {training.max_prompt_tokens}:"
                f" {row['prompt'][:200]!r}"
            )
    return rows


def _solver_rows(path: Path | None, config: RunConfig, tokenizer: ChatTokenizer) -> list[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path is None:
        raise TrainingError("the Solver's phase names no dataset")
    try:
        table = pq.read_table(path, columns=["question", "answer"]).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise TrainingError(f"{path}: cannot be read as a dataset: {error}") from error
    if len(table) < config.solver.min_questions:
        raise TrainingError(
            f"{path}: has {len(table)} questions, fewer than solver.min_questions = {config.solver.min_questions}"
        )
    template = config.prompts.solver.template
    return [{"prompt": tokenizer.render(template.render(row["question"])), "answer": row["answer"]} for row in table]


def _repeated(rows: list[Row], count: int, seed: int) -> list[Row]:
    source = random.Random(seed)  # noqa: S311 - an order, no secret
    order: list[Row] = []
    while len(order) < count:
        order += source.sample(rows, len(rows))
    return order[:count]
