"""The noise that samples are drawn with: a pure function of (seed, prompt, sample, step), so no generator is shared or kept.

SplitMix64's finaliser (Steele, Lea and Flood 2014) chained over the four numbers.
"""

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)

Keys = NDArray[np.uint64]


def row_keys(seed: int, prompts: NDArray[np.int64], samples: NDArray[np.int64]) -> Keys:
    """Keys of rows, (rows,), from a seed in [0, 2**64) and the indices of prompt and sample."""
    start = np.full(len(prompts), seed & 0xFFFFFFFFFFFFFFFF, dtype=np.uint64)
    return _mix(_mix(_mix(start) ^ prompts.astype(np.uint64)) ^ samples.astype(np.uint64))


def uniforms(keys: Keys, step: int) -> NDArray[np.float64]:
    """One number in [0, 1) for each row, (rows,), for the step-th token of its completion."""
    bits = _mix(keys ^ _mix(np.array([step], dtype=np.uint64)))
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mix(values: Keys) -> Keys:
    values = values + _GOLDEN
    values = (values ^ (values >> np.uint64(30))) * _FIRST
    values = (values ^ (values >> np.uint64(27))) * _SECOND
    return values ^ (values >> np.uint64(31))
