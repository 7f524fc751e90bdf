"""Rollouts with transformers: every row draws its own noise, prompts are read once, finished rows leave the batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from rdiverse.config import SamplingConfig

SHRINK = 0.8
"""Finished rows are dropped once the share of rows still running falls below this: dropping copies the cache."""


@dataclass(frozen=True)
class Noise:
    """Uniform noise of the rollouts of one step: a function of seed and global row, however rows are spread over ranks."""

    seed: int
    first_row: int = 0
    """Global index of this process's first row."""

    def draw(self, rows: int, length: int) -> np.ndarray[Any, np.dtype[np.float64]]:
        """(rows, length) float64 in [0, 1)."""
        first = self.first_row
        return np.stack(
            [np.random.Generator(np.random.Philox(key=[self.seed, first + row])).random(length) for row in range(rows)]
        )


@torch.no_grad()
def sample(
    model: Any,
    prompts: Sequence[Sequence[int]],
    sampling: SamplingConfig,
    noise: Noise,
    end_ids: Sequence[int],
    batch_rows: int,
) -> list[list[int]]:
    """Draw one completion a prompt: token ids, ending with the one of `end_ids` that was met, if one was.

    At most `batch_rows` rows run together. The same arguments give the same completions on one machine.
    """
    uniforms = noise.draw(len(prompts), sampling.max_tokens)
    completions: list[list[int]] = []
    for begin in range(0, len(prompts), batch_rows):
        rows = slice(begin, begin + batch_rows)
        completions += _sample_batch(model, prompts[rows], sampling, uniforms[rows], end_ids)
    return completions


def _sample_batch(
    model: Any,
    prompts: Sequence[Sequence[int]],
    sampling: SamplingConfig,
    uniforms: np.ndarray[Any, np.dtype[np.float64]],
    end_ids: Sequence[int],
) -> list[list[int]]:
    device = model.device
    ends = torch.tensor(list(end_ids), device=device)
    noise = torch.from_numpy(uniforms).to(device)
    logits, cache, mask = _read_prompts(model, prompts)
    live = torch.arange(len(prompts), device=device)  # which prompt each row of the batch belongs to
    running = torch.ones(len(prompts), dtype=torch.bool, device=device)
    drawn = torch.full((len(prompts), sampling.max_tokens), -1, device=device)
    for position in range(sampling.max_tokens):
        tokens = draw_tokens(logits, noise[live, position], sampling)
        drawn[live[running], position] = tokens[running]
        running = running & ~torch.isin(tokens, ends)
        count = int(running.sum())
        if count == 0 or position + 1 == sampling.max_tokens:
            break
        if count < SHRINK * len(live):
            kept = running.nonzero().squeeze(1)
            cache.batch_select_indices(kept)
            live, tokens, mask, running = live[kept], tokens[kept], mask[kept], running[kept]
        mask = torch.cat([mask, mask.new_ones(len(live), 1)], dim=1)
        output = model(
            input_ids=tokens.unsqueeze(1),
            attention_mask=mask,
            position_ids=mask.sum(dim=1, keepdim=True) - 1,
            past_key_values=cache,
            use_cache=True,
        )
        logits, cache = output.logits[:, -1], output.past_key_values
    return [[token for token in row if token >= 0] for row in drawn.tolist()]


def _read_prompts(model: Any, prompts: Sequence[Sequence[int]]) -> tuple[torch.Tensor, Any, torch.Tensor]:
    """Read each distinct prompt once. Gives, a row a prompt: logits of the next token, the cache, the attention mask."""
    distinct = list(dict.fromkeys(tuple(prompt) for prompt in prompts))
    longest = max(map(len, distinct))
    ids = torch.zeros(len(distinct), longest, dtype=torch.long)
    mask = torch.zeros(len(distinct), longest, dtype=torch.long)
    for row, prompt in enumerate(distinct):
        ids[row, longest - len(prompt) :] = torch.tensor(prompt)
        mask[row, longest - len(prompt) :] = 1
    ids, mask = ids.to(model.device), mask.to(model.device)
    output = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=(mask.cumsum(dim=1) - 1).clamp(min=0),
        use_cache=True,
        logits_to_keep=1,
    )
    where = {prompt: row for row, prompt in enumerate(distinct)}
    rows = torch.tensor([where[tuple(prompt)] for prompt in prompts], device=model.device)
    cache = output.past_key_values
    cache.batch_select_indices(rows)
    return output.logits[rows, -1], cache, mask[rows]


def draw_tokens(logits: torch.Tensor, uniforms: torch.Tensor, sampling: SamplingConfig) -> torch.Tensor:
    """Draw a token a row by inverting the distribution function of what temperature, top-k and top-p leave.

    `logits` (rows, vocabulary), `uniforms` (rows,) in [0, 1) -> (rows,). Tokens are ordered from most to least likely.
    """
    if sampling.temperature == 0:
        return logits.argmax(dim=-1)
    probabilities = torch.softmax(logits.double() / sampling.temperature, dim=-1)
    ordered, tokens = probabilities.sort(dim=-1, descending=True, stable=True)
    if sampling.top_k:
        ordered[:, sampling.top_k :] = 0
        ordered /= ordered.sum(dim=-1, keepdim=True)
    total = ordered.cumsum(dim=-1)
    if sampling.top_p < 1:
        # A token stays while the mass before it is below top_p; the first always does.
        ordered = ordered.masked_fill(total - ordered >= sampling.top_p, 0)
        total = ordered.cumsum(dim=-1)
    rank = torch.searchsorted(total, (uniforms * total[:, -1]).unsqueeze(1), right=True)
    return tokens.gather(1, rank.clamp(max=logits.shape[1] - 1)).squeeze(1)
