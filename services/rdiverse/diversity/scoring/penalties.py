"""P_rep and P_MAP of one batch, from vectors and what the memory said (docs/method.md, "Challenger reward")."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rdiverse.diversity.memory.protocol import Key, MemorySimilarities
from rdiverse.diversity.sam.embedder import Embedded
from rdiverse.selfplay.repetition import bleu_clusters, cosine_clusters, p_rep
from rdiverse.selfplay.rewards import PenaltyConstants, largest_map_penalty, map_penalty


@dataclass(frozen=True)
class ItemPenalties:
    """The penalties of one item."""

    p_rep: float
    cluster: int
    s_max: float
    s_mean: float
    p_map: float
    nearest: Key | None


def clusters(questions: Sequence[str], embedded: Sequence[Embedded], threshold: float, *, bleu: bool) -> list[int]:
    """The cluster of each item: by words (R-Zero), or by embeddings (R-Diverse), then -1 where there is none."""
    if bleu:
        return list(map(int, bleu_clusters(questions, threshold)))
    with_vector = [index for index, item in enumerate(embedded) if item.vector is not None]
    labels = [-1] * len(embedded)
    if with_vector:
        matrix = np.stack([item.vector for item in embedded if item.vector is not None])
        for index, label in zip(with_vector, cosine_clusters(matrix, threshold).tolist(), strict=True):
            labels[index] = label
    return labels


def penalties(
    embedded: Sequence[Embedded], labels: Sequence[int], seen: MemorySimilarities | None, constants: PenaltyConstants
) -> list[ItemPenalties]:
    """Put both penalties together. `seen` is None while the memory is empty.

    An item without an embedding is not novel: P_rep 1 when clusters are made of embeddings, P_MAP its maximum; it counts
    in |B| and joins no cluster.
    """
    clustered = [label for label in labels if label >= 0]
    shares = iter(p_rep(clustered, len(labels)).tolist())
    repetition = [next(shares) if label >= 0 else 1.0 for label in labels]
    rows = iter(range(len(embedded)))
    means = mean_cosines(embedded, seen.total, seen.count) if seen is not None else np.zeros(0)
    results = []
    for item, share, label in zip(embedded, repetition, labels, strict=True):
        if seen is None:
            results.append(ItemPenalties(share, label, 0.0, 0.0, 0.0, None))
        elif item.vector is None:
            results.append(ItemPenalties(share, label, 1.0, 1.0, largest_map_penalty(constants), None))
        else:
            row = next(rows)
            s_max, s_mean = float(seen.nearest.similarities[row, 0]), float(means[row])
            results.append(
                ItemPenalties(share, label, s_max, s_mean, map_penalty(s_max, s_mean, constants), seen.nearest.keys[row][0])
            )
    return results


def mean_cosines(embedded: Sequence[Embedded], total: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Mean cosine of each embedded item to `count` remembered vectors of sum `total`, in the order of the items.

    A dot product with the mean vector, which must not be normalised again.
    """
    vectors = [item.vector for item in embedded if item.vector is not None]
    if not vectors:
        return np.zeros(0)
    means: NDArray[np.float64] = np.clip(np.stack(vectors).astype(np.float64) @ (total / count), -1, 1)
    return means
