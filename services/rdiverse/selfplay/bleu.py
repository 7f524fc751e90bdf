"""Sentence BLEU between all pairs of a set of texts at once.

The same number as nltk's `sentence_bleu` with smoothing method 1, which is what R-Zero calls for every pair. Clipped
n-gram matches of a pair are a sum of minima of counts; with an n-gram that occurs c times spelt as c different features
they become a product of two sparse 0/1 matrices.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

MAX_ORDER = 4
"""Longest n-grams; all orders weigh the same."""
EPSILON = 0.1
"""Smoothing method 1: matches that stand in for none."""


def bleu_matrix(texts: Sequence[str]) -> npt.NDArray[np.float64]:
    """BLEU with row i as the reference and column j as the hypothesis, (n, n) in 0 to 1 (Papineni et al., 2002).

    Tokens are what whitespace separates. A pair that shares no word scores 0.
    """
    tokens = [text.split() for text in texts]
    lengths = np.array([len(words) for words in tokens], dtype=np.float64)
    log_precision = np.zeros((len(texts), len(texts)))
    shares_a_word = np.zeros(log_precision.shape, dtype=bool)
    for n in range(1, MAX_ORDER + 1):
        matches = _clipped_matches(tokens, n)
        if n == 1:
            shares_a_word = matches > 0
        n_grams = np.maximum(lengths - n + 1, 1.0)
        log_precision += np.log(np.where(matches > 0, matches, EPSILON) / n_grams) / MAX_ORDER
    with np.errstate(divide="ignore", invalid="ignore"):
        shortness = lengths[:, None] / lengths[None, :]  # reference over hypothesis
    log_brevity = np.where(shortness > 1, 1.0 - shortness, 0.0)
    return np.where(shares_a_word, np.exp(np.where(shares_a_word, log_brevity, 0.0) + log_precision), 0.0)


def _clipped_matches(tokens: Sequence[Sequence[str]], n: int) -> npt.NDArray[np.float64]:
    """For every pair of texts, the sum over n-grams of the smaller of the two counts, (len, len)."""
    from scipy.sparse import csr_array

    columns: dict[Any, int] = {}
    indices: list[int] = []
    starts = [0]
    for words in tokens:
        seen: dict[tuple[str, ...], int] = {}
        for n_gram in zip(*(words[i:] for i in range(n)), strict=False):
            count = seen[n_gram] = seen.get(n_gram, 0) + 1
            indices.append(columns.setdefault((n_gram, count), len(columns)))
        starts.append(len(indices))
    shape = (len(tokens), max(len(columns), 1))
    occurs = csr_array((np.ones(len(indices)), indices, starts), shape=shape)
    matches: npt.NDArray[np.float64] = (occurs @ occurs.T).toarray()
    return matches
