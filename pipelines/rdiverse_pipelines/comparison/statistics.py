"""Means over seeds and differences by seed, with Student's t intervals."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean, stdev

INTERVAL = (
    "95 %, Student's t over seeds; the held-out questions and the base model are the same for all seeds, so an interval "
    "speaks of other seeds, not of other questions or other base models"
)


@dataclass(frozen=True)
class Spread:
    """A figure over seeds. With one seed there is no spread: null."""

    mean: float
    sd: float | None
    """Standard deviation over seeds (n - 1)."""
    low: float | None
    high: float | None
    """95 % interval of the mean."""
    values: dict[int, float]
    """Seed -> value."""

    @property
    def half_width(self) -> float | None:
        """Half the interval's width."""
        return None if self.high is None else self.high - self.mean


@dataclass(frozen=True)
class Difference(Spread):
    """A method minus the reference, seed by seed."""

    higher: int
    """Seeds in which the method is the higher of the two."""

    @property
    def apart(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def spread(values: Mapping[int, float | None]) -> Spread | None:
    """Mean, standard deviation and t interval of a figure over the seeds that have it; None when none has."""
    known = {seed: float(value) for seed, value in values.items() if value is not None}
    if not known:
        return None
    return Spread(*_mean_sd_interval(list(known.values())), known)


def paired(values: Mapping[int, float | None], reference: Mapping[int, float | None]) -> Difference | None:
    """Differences over the seeds that both have, with the paired t interval; None when there is no such seed.

    Runs of one seed share the noise of their evaluation and of everything before the methods part.
    """
    found = {}
    for seed, value in values.items():
        other = reference.get(seed)
        if value is not None and other is not None:
            found[seed] = value - other
    if not found:
        return None
    return Difference(*_mean_sd_interval(list(found.values())), found, sum(each > 0 for each in found.values()))


def _mean_sd_interval(values: list[float]) -> tuple[float, float | None, float | None, float | None]:
    from scipy.special import stdtrit

    mean, n = fmean(values), len(values)
    if n < 2:
        return mean, None, None, None
    sd = stdev(values)
    half = float(stdtrit(n - 1, 0.975)) * sd / math.sqrt(n)
    return mean, sd, mean - half, mean + half
