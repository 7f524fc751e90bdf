"""What Score has to answer, computed the slow and obvious way in float64."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass
class Expected:
    p_rep: float
    s_max: float
    s_mean: float
    p_map: float


def expected_scores(
    batch: Sequence[np.ndarray | None],
    memory: Sequence[np.ndarray],
    *,
    threshold: float = 0.5,
    gamma: float = 0.5,
    tau_max: float = 0.5,
    tau_mean: float = 0.25,
) -> list[Expected]:
    """`None` in the batch stands for an item without an embedding."""
    embedded = [index for index, vector in enumerate(batch) if vector is not None]
    sizes = dict(zip(embedded, cluster_sizes([normalised(batch[index]) for index in embedded], threshold), strict=True))
    seen = [normalised(vector) for vector in memory]
    results = []
    for index, vector in enumerate(batch):
        p_rep = sizes[index] / len(batch) if index in sizes else 1.0
        if not seen:
            results.append(Expected(p_rep, 0.0, 0.0, 0.0))
            continue
        cosines = [1.0] if vector is None else [float(normalised(vector) @ other) for other in seen]
        s_max, s_mean = max(cosines), sum(cosines) / len(cosines)
        p_map = gamma * max(0.0, s_max - tau_max) + (1 - gamma) * max(0.0, s_mean - tau_mean)
        results.append(Expected(p_rep, s_max, s_mean, p_map))
    return results


def normalised(vector) -> np.ndarray:
    # What travels is float32.
    wide = np.asarray(vector, dtype=np.float32).astype(np.float64)
    return wide / np.linalg.norm(wide)


def cluster_sizes(vectors: Sequence[np.ndarray], threshold: float) -> list[int]:
    """Sizes of the clusters of average linkage, joined one pair at a time."""
    clusters = [[index] for index in range(len(vectors))]

    def distance(first, second):
        return float(np.mean([1 - vectors[a] @ vectors[b] for a in first for b in second]))

    while len(clusters) > 1:
        pairs = [(distance(one, two), i, j) for i, one in enumerate(clusters) for j, two in enumerate(clusters) if i < j]
        nearest, i, j = min(pairs)
        if nearest >= threshold:
            break
        clusters[i] += clusters.pop(j)
    size = {index: len(cluster) for cluster in clusters for index in cluster}
    return [size[index] for index in range(len(vectors))]
