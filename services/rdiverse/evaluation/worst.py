"""How good a model is at what it is worst at, luck taken out."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FEWEST = 10
"""With fewer skills a tenth of them is none."""
_TENTH = 0.1
_MOST_ALIKE = 1000.0
"""Largest sum of the Beta distribution's parameters: accuracies that differ by less than two points do not differ."""


def worst_tenth(skills: Sequence[npt.NDArray[np.bool_]]) -> float | None:
    """Mean accuracy of the worst tenth of the skills; each is a (questions, samples) array of right answers.

    The lowest tenth of the *measured* accuracies is mostly the worst luck: of 400 skills at 50 %, asked four times each, a
    tenth are at 0 % by chance. So the true accuracies are taken to follow a Beta distribution, whose mean and variance are
    those of the measured ones less the variance that luck makes (method of moments), and its lowest tenth is reported.
    With fewer than ten skills it is the lowest measured accuracy. None where single answers leave luck unknown.
    """
    accuracies = np.array([right.mean() for right in skills])
    if len(skills) < FEWEST:
        return float(accuracies.min())
    luck = [_variance_of_luck(right) for right in skills]
    if any(variance is None for variance in luck):
        return None
    mean = float(accuracies.mean())
    if mean in (0.0, 1.0):
        return mean  # all right, or all wrong
    most = mean * (1 - mean)
    spread = float(np.clip(accuracies.var(ddof=1) - np.mean(np.array(luck)), most / (_MOST_ALIKE + 1), 0.98 * most))
    total = most / spread - 1
    return _lowest_tenth_of_beta(mean * total, (1 - mean) * total)


def _variance_of_luck(right: npt.NDArray[np.bool_]) -> float | None:
    """Variance of a skill's measured accuracy, estimated from its own questions, or from its samples when it has one."""
    by_question = right.mean(axis=1)
    questions, samples = right.shape
    if questions > 1:
        return float(by_question.var(ddof=1) / questions)
    share = float(by_question[0])
    return share * (1 - share) / (samples - 1) if samples > 1 else None


def _lowest_tenth_of_beta(a: float, b: float) -> float:
    """Mean of a Beta(a, b) variable below its tenth percentile, by summing over its logit, where the density is smooth."""
    logit = np.arange(-400.0, 400.0, 0.01)
    log_density = -a * np.logaddexp(0, -logit) - b * np.logaddexp(0, logit)
    weights = np.exp(log_density - log_density.max())
    weights /= weights.sum()
    before = np.cumsum(weights) - weights
    lowest = np.clip(_TENTH - before, 0, weights)
    return float(lowest @ np.exp(-np.logaddexp(0, -logit)) / _TENTH)
