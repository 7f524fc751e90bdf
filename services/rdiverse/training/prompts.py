"""The rows that a phase trains on, laid out step by step."""

import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rdiverse.config import RunConfig
from rdiverse.selfplay.prompts import RenderedPrompt
from rdiverse.selfplay.roles import Role
from rdiverse.selfplay.seeds import derive_seed
from rdiverse.training.errors import TrainingError
from rdiverse.training.launch.phase import Phase
from rdiverse.training.settings import grpo_settings

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Prompt = str | list[dict[str, str]]
Row = dict[str, Any]


def phase_rows(phase: Phase, config: RunConfig, tokenizer: "PreTrainedTokenizerBase") -> list[Row]:
    """One row a group, `steps * prompts_per_step` in all: prompt, and for the Solver the answer that is right.

    The Challenger has one prompt. The Solver's questions come in a seeded order, each once before any comes again; a
    dataset smaller than a step therefore fills the step with several groups of the same question. Raises TrainingError for
    an unreadable dataset, one with fewer than `solver.min_questions` rows, and a prompt that is too long.
    """
    training = grpo_settings(phase, config)
    count = training.steps * training.prompts_per_step
    if phase.role is Role.CHALLENGER:
        prompt = as_prompt(config.prompts.challenger.template.render(), tokenizer)
        distinct = [{"prompt": prompt, "answer": ""}]
        rows = distinct * count
    else:
        distinct = _solver_rows(phase.dataset, config, tokenizer)
        rows = _repeated(distinct, count, derive_seed(phase.seed, "order"))
    for row in distinct:
        length = prompt_tokens(row["prompt"], tokenizer)
        if length > training.max_prompt_tokens:
            raise TrainingError(
                f"a prompt has {length} tokens, more than max_prompt_tokens = {training.max_prompt_tokens}:"
                f" {str(row['prompt'])[:200]!r}"
            )
    return rows


def as_prompt(rendered: RenderedPrompt, tokenizer: "PreTrainedTokenizerBase") -> Prompt:
    """Chat messages when the tokenizer has a template, else system and user joined by a newline, as the servers do."""
    if tokenizer.chat_template is None:
        return "\n".join(part for part in rendered if part)
    messages = [{"role": "system", "content": rendered.system}] if rendered.system else []
    return [*messages, {"role": "user", "content": rendered.user}]


def prompt_tokens(prompt: Prompt, tokenizer: "PreTrainedTokenizerBase") -> int:
    """Length of a prompt as the model reads it."""
    if isinstance(prompt, str):
        return len(tokenizer(prompt)["input_ids"])
    return len(tokenizer.apply_chat_template(prompt, add_generation_prompt=True, tokenize=True, return_dict=False))


def _solver_rows(path: Path | None, config: RunConfig, tokenizer: "PreTrainedTokenizerBase") -> list[Row]:
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
    return [{"prompt": as_prompt(template.render(row["question"]), tokenizer), "answer": row["answer"]} for row in table]


def _repeated(rows: list[Row], count: int, seed: int) -> list[Row]:
    source = random.Random(seed)  # noqa: S311 - an order, no secret
    order: list[Row] = []
    while len(order) < count:
        order += source.sample(rows, len(rows))
    return order[:count]
