"""Completions of many prompts in one call, for callers that wait for all of them: a trainer's rollouts, a measurement."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from rdiverse.lm.batching import whole_prompts
from rdiverse.lm.decoding import Row, decode
from rdiverse.lm.sampling_params import SamplingParams


def complete(
    model: Any,
    prompts: Sequence[Sequence[int]],
    params: SamplingParams,
    *,
    seed: int,
    eos: Sequence[int],
    max_rows: int,
    samples: int = 1,
    first_row: int = 0,
) -> list[list[int]]:
    """Draw one completion a row: the tokens drawn, an end-of-sequence token included.

    `prompts` holds token ids for every row: `samples` rows of one prompt, then those of the next. `first_row` is the index
    of the first of them where rows are spread over several processes. These are the tokens that a server gives for the same
    prompts, samples and seed where `max_rows` is its own. Raises BrokenModelError.
    """
    rows = [
        Row(prompt, params, seed, *divmod(first_row + i, samples), limit=params.max_tokens) for i, prompt in enumerate(prompts)
    ]
    groups = [list(group) for _, group in groupby(rows, key=lambda row: row.prompt_index)]
    for chunk in whole_prompts([len(group[0].prompt) for group in groups], samples, max_rows):
        decode(model, [row for i in chunk for row in groups[i]], eos, max_rows)
    return [row.tokens for row in rows]
