"""Figures over graded samples, with intervals that treat the questions as the independent units."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Z95 = 1.959963984540054
"""The normal distribution's 97.5 % point."""


class Estimate(NamedTuple):
    """A share in [0, 1] with its 95 % interval."""

    value: float
    low: float
    high: float


def mean_at_k(right: npt.NDArray[np.bool_]) -> Estimate:
    """Mean over questions of the share of right samples (mean@k), of a (questions, samples) array.

    The interval is Wilson's score interval (1927) for the number of independent trials that would have the observed
    variance between questions: samples of one question are not independent trials. With one sample a question it is
    Wilson's interval itself; unlike a bootstrap it has width when all answers are right, or none.
    """
    questions, samples = right.shape
    by_question = right.mean(axis=1)
    p = float(by_question.mean())
    variance = float(by_question.var()) / questions
    trials = float(questions) if p in (0.0, 1.0) else min(questions * samples, p * (1 - p) / max(variance, 1e-12))
    return Estimate(p, *_wilson(p, trials))


def mean_of(estimates: Sequence[Estimate]) -> Estimate:
    """Unweighted mean of independent estimates; deviations of the limits add in squares (Newcombe 1998, Zou & Donner 2008)."""
    count = len(estimates)
    p = sum(e.value for e in estimates) / count
    below = math.sqrt(sum((e.value - e.low) ** 2 for e in estimates)) / count
    above = math.sqrt(sum((e.high - e.value) ** 2 for e in estimates)) / count
    return Estimate(p, p - below, p + above)


def pass_at_k(right: npt.NDArray[np.bool_], k: int) -> float:
    """Chance that k samples drawn without replacement hold a right one, mean over questions: 1 - C(n-c, k) / C(n, k).

    Source: Chen et al. 2021 (arXiv 2107.03374), equation 1. `right` is (questions, n), 1 <= k <= n.
    """
    n = right.shape[1]
    wrong = n - right.sum(axis=1)
    return float(np.mean([1 - math.comb(int(w), k) / math.comb(n, k) for w in wrong]))


def powers_of_two(most: int) -> list[int]:
    """1, 2, 4, ... up to and including `most`: where a pass@k curve is drawn."""
    curve = [1 << i for i in range(most.bit_length())]
    return curve if curve[-1] == most else [*curve, most]


def _wilson(p: float, trials: float) -> tuple[float, float]:
    z2 = Z95**2
    middle = (p + z2 / (2 * trials)) / (1 + z2 / trials)
    half = Z95 / (1 + z2 / trials) * math.sqrt(p * (1 - p) / trials + z2 / (4 * trials**2))
    return max(0.0, middle - half), min(1.0, middle + half)
