"""Completions of texts by the base model, for the recipe's own scores and the controlled test."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rdiverse.lm.sampling_params import SamplingParams

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

ROWS = 256
"""Sequences decoded together."""


def complete_texts(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerFast",
    prompts: Sequence[str],
    max_tokens: int,
    *,
    seed: int = 0,
    greedy: bool = False,
    top_p: float = 1.0,
) -> list[str]:
    """One completion per prompt, in their order, at temperature 1 unless greedy; stops at `<eos>` or after `max_tokens`."""
    from rdiverse.lm.completing import complete

    if not prompts:  # the tokenizer takes no empty batch
        return []
    params = SamplingParams(temperature=float(not greedy), top_p=top_p, max_tokens=max_tokens)
    ids = tokenizer(list(prompts))["input_ids"]
    drawn = complete(model, ids, params, seed=seed, eos=[tokenizer.eos_token_id], max_rows=ROWS)
    return tokenizer.batch_decode(drawn, skip_special_tokens=True)
