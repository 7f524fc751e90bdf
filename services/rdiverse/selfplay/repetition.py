"""How much a set of questions repeats itself: clusters, P_rep and the measures of the report.

Everything is float64, and nothing depends on the order of the set: items are first sorted by a digest of their content,
because average linkage breaks ties by order and identical programs make ties common. Cluster labels are numbered along
that sorted order.
"""

import hashlib
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rdiverse.selfplay.bleu import bleu_matrix

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
Vectors = npt.NDArray[np.floating[Any]]

_BLOCK = 1024


def cosine_clusters(vectors: Vectors, threshold: float = 0.5) -> Labels:
    """Cluster questions by 1 - cosine of their embeddings (R-Diverse; its in-batch threshold is undisclosed).

    `vectors` is (n, dimension), normalised here. Returns (n,) labels. Raises ValueError on a zero or non-finite vector.
    """
    unit = _unit(vectors)
    order = _order([row.tobytes() for row in np.asarray(vectors, dtype=np.float64)])
    # Sorted before the product: a matrix product may round a pair differently elsewhere in the matrix.
    sorted_unit = unit[order]
    return _unsort(cluster(1.0 - sorted_unit @ sorted_unit.T, threshold), order)


def bleu_clusters(texts: Sequence[str], threshold: float = 0.5) -> Labels:
    """Cluster questions by 1 - sentence BLEU of their words (R-Zero's repetition penalty). Returns (n,) labels.

    BLEU is not symmetric; of each pair the text that comes first in digest order is the reference.
    """
    order = _order([text.encode(errors="surrogatepass") for text in texts])
    bleu = bleu_matrix([texts[i] for i in order])
    upper = np.triu(bleu, 1)
    return _unsort(cluster(1.0 - (upper + upper.T), threshold), order)


def cluster(distances: Floats, threshold: float = 0.5) -> Labels:
    """Average-linkage agglomerative clustering of a symmetric (n, n) distance matrix, whose diagonal is not read.

    Clusters are joined while their average distance is *below* the threshold, as scikit-learn does it for R-Zero. Ties are
    broken by the order of the rows: callers sort them by content first. Labels count from 0 in order of first appearance.
    """
    from scipy.cluster.hierarchy import fcluster, linkage

    n = len(distances)
    if n < 2:
        return np.zeros(n, dtype=np.int64)
    # Rounding may leave 1 - cosine of equals just below zero, which linkage would refuse.
    condensed = np.maximum(np.asarray(distances, dtype=np.float64)[np.triu_indices(n, 1)], 0.0)
    flat = fcluster(linkage(condensed, method="average"), np.nextafter(threshold, -np.inf), criterion="distance")
    return _renumbered(flat)


def p_rep(labels: Sequence[int] | Labels, batch_size: int) -> Floats:
    """P_rep = |cluster of q| / |B| of every clustered question (R-Zero's repetition penalty; R-Diverse keeps its form).

    `batch_size` is |B|: all parseable questions of the global batch, those without a program included, which join no
    cluster and have no label here (their P_rep is 1).
    """
    labels = np.asarray(labels, dtype=np.int64)
    if batch_size < len(labels):
        raise ValueError(f"batch_size: must be at least {len(labels)}, the number of clustered questions, not {batch_size}")
    _, inverse, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    shares: Floats = sizes[inverse].astype(np.float64) / max(batch_size, 1)
    return shares


def effective_number(labels: Sequence[Hashable] | Labels) -> float:
    """Exponential of the entropy of the cluster (or skill) sizes: k equal clusters count k. 0 for no labels."""
    sizes: dict[Hashable, int] = {}
    for label in labels:
        sizes[label] = sizes.get(label, 0) + 1
    if not sizes:
        return 0.0
    p = np.array(sorted(sizes.values()), dtype=np.float64) / len(labels)
    return float(np.exp(-np.sum(p * np.log(p))))


def nearest_cosines(vectors: Vectors) -> Floats:
    """S_max within a set: the largest cosine of each vector to any other, (n,); -1 for a lone vector."""
    unit = _unit(vectors)
    nearest = np.full(len(unit), -1.0)
    for start in range(0, len(unit), _BLOCK):
        similar = unit[start : start + _BLOCK] @ unit.T
        rows = np.arange(len(similar))
        similar[rows, start + rows] = -1.0
        nearest[start : start + _BLOCK] = similar.max(axis=1)
    return nearest


def intra_iteration(vectors: Vectors, threshold: float = 0.9) -> float:
    """Share of questions with a nearest neighbour beyond the threshold (docs/method.md, "What is measured")."""
    return repeated_share(nearest_cosines(vectors), threshold)


def repeated_share(s_max: Sequence[float] | Floats, threshold: float = 0.9) -> float:
    """Share of questions whose S_max exceeds the threshold (ours), 0 for no questions.

    With S_max against earlier iterations this is cross-iteration repetition.
    """
    values = np.asarray(s_max, dtype=np.float64)
    return float(np.mean(values > threshold)) if len(values) else 0.0


def mean_cosine(vectors: Vectors) -> float:
    """Mean cosine over all pairs of different rows, -1 to 1; 0 for fewer than two. O(n): the sum of all pairs is |sum|^2."""
    unit = _unit(vectors)
    n = len(unit)
    if n < 2:
        return 0.0
    total = unit.sum(axis=0)
    return float((total @ total - n) / (n * (n - 1)))


def _unit(vectors: Vectors) -> Floats:
    array = np.asarray(vectors, dtype=np.float64)
    if array.ndim != 2:
        raise ValueError(f"vectors: must have shape (n, dimension), not {array.shape}")
    norms = np.linalg.norm(array, axis=1, keepdims=True)
    if not np.all(np.isfinite(norms)) or not np.all(norms > 0):
        raise ValueError("vectors: must be finite and not all zero")
    unit: Floats = array / norms
    return unit


def _order(contents: Sequence[bytes]) -> npt.NDArray[np.intp]:
    digests = [hashlib.sha256(content).digest() for content in contents]
    return np.array(sorted(range(len(digests)), key=digests.__getitem__), dtype=np.intp)


def _unsort(labels: Labels, order: npt.NDArray[np.intp]) -> Labels:
    back = np.empty_like(labels)
    back[order] = labels
    return back


def _renumbered(labels: npt.NDArray[Any]) -> Labels:
    """Number clusters from 0 in order of first appearance."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]
