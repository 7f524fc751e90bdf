"""Scoring rows of unequal length without computing on padding."""

from collections.abc import Callable

import torch

ROWS = 32
"""Rows scored together. Fewer waste less on padding, more waste less on overhead."""

Scored = tuple[torch.Tensor, torch.Tensor | None]
Score = Callable[[torch.Tensor, torch.Tensor, int], Scored]


def in_trimmed_chunks(score: Score, ids: torch.Tensor, mask: torch.Tensor, completion: int, rows: int | None = None) -> Scored:
    """Score rows sorted by length, `rows` (ROWS) at a time, each chunk cut to its own longest prompt and completion.

    `ids` and `mask` (batch, prompt + completion): prompts padded on the left, completions on the right; TRL pads both to
    the longest of the whole generation batch. `score(ids, mask, completion)` gives two (rows, completion) tensors, the
    second may be None. The result is that of `score(ids, mask, completion)`, with 0 where a chunk was cut.
    """
    prompt = ids.shape[1] - completion
    prompt_lengths, completion_lengths = mask[:, :prompt].sum(dim=1), mask[:, prompt:].sum(dim=1)
    order = (prompt_lengths + completion_lengths).argsort(stable=True)
    firsts: list[torch.Tensor] = []
    seconds: list[torch.Tensor] = []
    for chosen in torch.split(order, rows or ROWS):
        longest_prompt = int(prompt_lengths[chosen].max())
        longest_completion = max(int(completion_lengths[chosen].max()), 1)
        columns = slice(prompt - longest_prompt, prompt + longest_completion)
        first, second = score(ids[chosen, columns], mask[chosen, columns], longest_completion)
        cut = (0, completion - longest_completion)
        firsts.append(torch.nn.functional.pad(first, cut))
        if second is not None:
            seconds.append(torch.nn.functional.pad(second, cut))
    back = order.argsort()
    return torch.cat(firsts)[back], torch.cat(seconds)[back] if seconds else None
