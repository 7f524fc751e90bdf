"""Named features to a unit vector of any size."""

import hashlib
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


def hashed(features: Mapping[str, float], dimension: int) -> NDArray[np.float32]:
    """Unit vector of shape (dimension,) of weighted features (at least one), the same bits on every machine."""
    vector = np.zeros(dimension)
    for feature, weight in sorted(features.items()):
        index, sign = _bucket(feature, dimension)
        vector[index] += sign * weight
    norm = float(np.linalg.norm(vector))
    if norm == 0:  # features that cancel each other: it takes few buckets, or one feature against its opposite
        vector[_bucket(" ".join(sorted(features)), dimension)[0]] = norm = 1.0
    return (vector / norm).astype(np.float32)


@lru_cache(maxsize=65_536)
def _bucket(feature: str, dimension: int) -> tuple[int, float]:
    """Where a feature counts, and with which sign: signs keep collisions from making everything look alike."""
    value = int.from_bytes(hashlib.blake2b(feature.encode(), digest_size=8).digest(), "little")
    return (value >> 1) % dimension, 1.0 if value & 1 else -1.0
