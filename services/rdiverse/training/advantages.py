"""The advantage of a rollout within its group."""

import torch


def group_advantages(rewards: torch.Tensor, group_size: int, eps: float) -> torch.Tensor:
    """A = (r - mean) / (std + eps) over each group of `group_size` consecutive rollouts (GRPO; R-Zero's trainer: eps 1e-6).

    `rewards` (rollouts,) any float type -> (rollouts,) float64. The standard deviation has Bessel's correction. A group of
    equal rewards gives exactly 0: computed naively, the rounding of its mean over an eps this small would not. TRL's own
    formula has eps 1e-4 built in.
    """
    groups = rewards.double().view(-1, group_size)
    centred = groups - groups.mean(dim=1, keepdim=True)
    equal = groups.amin(dim=1, keepdim=True) == groups.amax(dim=1, keepdim=True)
    return (centred / (groups.std(dim=1, keepdim=True) + eps)).masked_fill(equal, 0.0).flatten()
