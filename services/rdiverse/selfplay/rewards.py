"""What the two policies are paid, as plain formulas."""

from dataclasses import dataclass
from typing import Literal

MALFORMED_MARGIN = 0.1
"""How far below the worst well-formed question a malformed completion is paid (our choice)."""


class PenaltyRangeError(ValueError):
    """A constant out of its range; `field` names it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field, self.message = field, message


@dataclass(frozen=True)
class PenaltyConstants:
    """The constants of P_rep and P_MAP; the defaults are the published ones. Raises PenaltyRangeError.

    Configuration, client and server share this class, and nobody else states a default or a range.
    """

    cluster_threshold: float = 0.5
    """Distance at which average linkage stops joining, above 0 and up to 2 (R-Zero's; R-Diverse does not disclose its own)."""
    gamma: float = 0.5
    """Weight of S_max against S_mean, 0 to 1 (R-Diverse)."""
    tau_max: float = 0.5
    """S_max up to this costs nothing, -1 to 1 (R-Diverse)."""
    tau_mean: float = 0.25
    """S_mean up to this costs nothing, -1 to 1 (R-Diverse)."""

    def __post_init__(self) -> None:
        """Check the ranges; NaN is in none."""
        if not 0 < self.cluster_threshold <= 2:
            raise PenaltyRangeError("cluster_threshold", f"must be above 0 and at most 2, not {self.cluster_threshold:g}")
        for field, least in (("gamma", 0), ("tau_max", -1), ("tau_mean", -1)):
            if not least <= getattr(self, field) <= 1:
                raise PenaltyRangeError(field, f"must be {least} to 1, not {getattr(self, field):g}")


def uncertainty(share: float, form: Literal["tent", "min"]) -> float:
    """R_unc of a self-consistency `share` in [0, 1].

    tent: 1 - 2|s - 1/2|, 0 to 1 (R-Zero's paper, its uncertainty reward); min: min(s, 1 - s), 0 to 0.5 (R-Zero's code:
    half of tent, so that penalties weigh double).
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share: must be 0 to 1, not {share}")
    if form == "tent":
        return 1 - 2 * abs(share - 0.5)
    return min(share, 1 - share)


def map_penalty(s_max: float, s_mean: float, constants: PenaltyConstants) -> float:
    """P_MAP = gamma max(0, S_max - tau_max) + (1 - gamma) max(0, S_mean - tau_mean) (R-Diverse, memory-augmented penalty).

    `s_max` and `s_mean` are cosines to every embedding of earlier iterations. With an empty memory P_MAP is 0, which the
    caller knows and this function does not.
    """
    over_max = max(0.0, s_max - constants.tau_max)
    over_mean = max(0.0, s_mean - constants.tau_mean)
    return constants.gamma * over_max + (1 - constants.gamma) * over_mean


def largest_map_penalty(constants: PenaltyConstants) -> float:
    """P_MAP of a question that repeats the whole memory (both cosines 1), which is also that of one without a program."""
    return map_penalty(1.0, 1.0, constants)


def challenger_reward(uncertainty: float, p_rep: float, p_map: float, alpha: float, beta: float) -> float:
    """R(q) = R_unc(q) - alpha P_rep(q, B) - beta P_MAP(q, M) of a well-formed question (R-Diverse, overall objective)."""
    return uncertainty - alpha * p_rep - beta * p_map


def malformed_reward(alpha: float, beta: float, constants: PenaltyConstants, compat: bool = False) -> float:
    """Pay of a malformed completion: strictly below the least that a well-formed question can earn.

    The floor is -(alpha + beta (gamma (1 - tau_max) + (1 - gamma)(1 - tau_mean))), -1.625 with the published constants.
    R-Zero pays -1, above that floor, so that breaking the format would pay; `compat` keeps that.
    """
    if compat:
        return -1.0
    return challenger_reward(0.0, 1.0, largest_map_penalty(constants), alpha, beta) - MALFORMED_MARGIN


def solver_reward(correct: bool, boxed: bool, accuracy_weight: float = 1.0) -> float:
    """1 for the pseudo-label, else 0; with `accuracy_weight` w: w for the label and 1 - w for a boxed answer (R-Zero: 0.9)."""
    return accuracy_weight * correct + (1 - accuracy_weight) * boxed
