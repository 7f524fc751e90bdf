"""Drawing one token for every row of a batch."""

from typing import NamedTuple

import torch

from rdiverse.lm.sampling_params import SamplingParams


class Drawn(NamedTuple):
    """One token a row."""

    tokens: torch.Tensor
    """(rows,) int64."""
    logprobs: torch.Tensor | None
    """(rows,) float64, when asked for."""


def draw(logits: torch.Tensor, params: SamplingParams, noise: torch.Tensor, *, logprobs: bool) -> Drawn:
    """Draw from logits (rows, vocabulary) by inverting the distribution function at `noise` (rows,), in [0, 1).

    Top-k keeps exactly k tokens; top-p keeps the shortest prefix of the sorted tokens whose mass reaches top_p (Holtzman
    et al. 2020), taken over what top-k left. Temperature 0 takes the largest logit; its log-probability is the model's own.
    """
    logits = logits.float()
    if params.temperature == 0:
        tokens = logits.argmax(dim=-1)
        return Drawn(tokens, _picked(torch.log_softmax(logits.double(), dim=-1), tokens) if logprobs else None)
    logits = logits / params.temperature
    order = None
    if 0 < params.top_k < logits.shape[-1]:
        logits, order = torch.topk(logits, params.top_k, dim=-1)
    elif params.top_p < 1:
        logits, order = torch.sort(logits, dim=-1, descending=True)
    mass = torch.softmax(logits, dim=-1).double()
    cumulative = mass.cumsum(dim=-1)
    if params.top_p < 1:
        # A token stays when the tokens before it fall short of top_p; the first always stays.
        mass = mass.masked_fill(cumulative - mass >= params.top_p * cumulative[:, -1:], 0.0)
        cumulative = mass.cumsum(dim=-1)
    total = cumulative[:, -1:]
    place = torch.searchsorted(cumulative, noise.unsqueeze(-1) * total, right=True)
    # Rounding can put noise * total at the total itself: then the last token with any mass is meant.
    last = torch.searchsorted(cumulative, total.contiguous(), right=False)
    place = torch.minimum(place, last)
    tokens = (place if order is None else order.gather(-1, place)).squeeze(-1)
    drawn = torch.log(_picked(mass, place.squeeze(-1)) / total.squeeze(-1)) if logprobs else None
    return Drawn(tokens, drawn)


def _picked(values: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    return values.gather(-1, places.unsqueeze(-1)).squeeze(-1)
