"""Clusters, P_rep and the measures of repetition."""

import math
import random
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
from sklearn.cluster import AgglomerativeClustering

from rdiverse.selfplay.bleu import bleu_matrix
from rdiverse.selfplay.repetition import (
    bleu_clusters,
    cluster,
    cosine_clusters,
    effective_number,
    intra_iteration,
    mean_cosine,
    nearest_cosines,
    p_rep,
    repeated_share,
)

WORDS = st.lists(st.sampled_from("abcd"), max_size=9).map(" ".join)
# Few directions, so that equal vectors and tied distances are the rule.
DIRECTIONS = st.tuples(*[st.sampled_from([-1.0, 0.0, 1.0])] * 3).filter(any)


def partition(labels: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in labels}


def test_average_linkage_joins_by_the_mean_distance() -> None:
    """0 and 1 are 0.1 apart; 2 is 0.3 and 0.6 from them, on average 0.45 < 0.5; 3 is far."""
    distances = np.array([[0, 0.1, 0.3, 1], [0.1, 0, 0.6, 1], [0.3, 0.6, 0, 1], [1, 1, 1, 0]])
    assert cluster(distances, 0.5).tolist() == [0, 0, 0, 1]
    assert cluster(distances, 0.4).tolist() == [0, 0, 1, 2]


def test_a_distance_at_the_threshold_does_not_join() -> None:
    assert cluster(np.array([[0, 0.5], [0.5, 0]]), 0.5).tolist() == [0, 1]
    assert cluster(np.array([[0, 0.4999], [0.4999, 0]]), 0.5).tolist() == [0, 0]


def test_clusters_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        vectors = rng.standard_normal((30, 4))
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        distances = np.clip(1 - unit @ unit.T, 0, None)
        theirs = AgglomerativeClustering(n_clusters=None, metric="precomputed", linkage="average", distance_threshold=0.5)
        assert partition(cluster(distances, 0.5)) == partition(theirs.fit_predict(distances))


@settings(deadline=None)
@given(st.lists(DIRECTIONS, min_size=1, max_size=14), st.randoms(use_true_random=False))
def test_the_order_of_a_batch_does_not_matter_ties_included(vectors: list[tuple[float, ...]], rng: random.Random) -> None:
    order = rng.sample(range(len(vectors)), len(vectors))
    labels = cosine_clusters(np.array(vectors))
    shuffled = cosine_clusters(np.array(vectors)[order])
    assert p_rep(labels, len(vectors))[order].tolist() == p_rep(shuffled, len(vectors)).tolist()


@settings(deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=14), st.randoms(use_true_random=False))
def test_nor_does_it_for_words(texts: list[str], rng: random.Random) -> None:
    order = rng.sample(range(len(texts)), len(texts))
    labels, shuffled = bleu_clusters(texts), bleu_clusters([texts[i] for i in order])
    assert p_rep(labels, len(texts))[order].tolist() == p_rep(shuffled, len(texts)).tolist()


def test_float32_and_scaled_vectors_cluster_alike() -> None:
    vectors = np.random.default_rng(1).standard_normal((40, 8)).astype(np.float32)
    assert partition(cosine_clusters(vectors)) == partition(cosine_clusters(vectors.astype(np.float64) * 3))


@pytest.mark.parametrize("bad", [[[0.0, 0.0]], [[math.nan, 1.0]], [[math.inf, 1.0]]])
def test_vectors_without_a_direction_are_refused(bad: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="finite and not all zero"):
        cosine_clusters(np.array(bad))


def test_one_and_no_question() -> None:
    assert cosine_clusters(np.ones((1, 3))).tolist() == [0]
    assert cosine_clusters(np.ones((0, 3))).tolist() == []
    assert bleu_clusters(["a"]).tolist() == [0]
    assert bleu_clusters([]).tolist() == []


@settings(deadline=None)
@given(st.lists(WORDS, min_size=2, max_size=5))
def test_bleu_is_nltks(texts: list[str]) -> None:
    smoothing = SmoothingFunction().method1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = [[sentence_bleu([a.split()], b.split(), smoothing_function=smoothing) for b in texts] for a in texts]
    np.testing.assert_allclose(bleu_matrix(texts), expected, atol=1e-12)


def test_bleu_by_hand() -> None:
    """Hypothesis a b c d of reference a b c e: precisions 3/4, 2/3, 1/2 and 0.1/1, no brevity penalty."""
    bleu = bleu_matrix(["a b c e", "a b c d"])
    assert bleu[0, 1] == pytest.approx((3 / 4 * 2 / 3 * 1 / 2 * 0.1) ** 0.25)
    assert bleu_matrix(["a b c d e", "a b c d"])[0, 1] == pytest.approx(math.exp(1 - 5 / 4))


def test_paraphrases_of_one_skill_escape_words_but_not_programs() -> None:
    """The diversity illusion, in small."""
    texts = ["Ann has 3 apples and buys 4 more", "what is the sum of 12 and 30", "a bus carries 9 people then 5 board"]
    same_program = np.tile([0.6, 0.8], (3, 1))
    assert p_rep(bleu_clusters(texts), 3).tolist() == [1 / 3] * 3
    assert p_rep(cosine_clusters(same_program), 3).tolist() == [1.0] * 3


def test_questions_without_a_program_count_in_the_batch() -> None:
    assert p_rep([0, 0, 1], batch_size=4).tolist() == [0.5, 0.5, 0.25]
    assert p_rep([], batch_size=2).tolist() == []
    with pytest.raises(ValueError, match="batch_size"):
        p_rep([0, 1], batch_size=1)


def test_the_effective_number_of_skills() -> None:
    assert effective_number([0, 1, 2, 3]) == pytest.approx(4)
    assert effective_number(["a"] * 9) == pytest.approx(1)
    assert effective_number(["a", "a", "a", "b"]) == pytest.approx(math.exp(0.75 * math.log(4 / 3) + 0.25 * math.log(4)))
    assert effective_number([]) == 0


def test_repetition_within_an_iteration() -> None:
    vectors = np.array([[1, 0], [2, 0], [0, 1], [1, 1.0]])
    assert nearest_cosines(vectors) == pytest.approx([1, 1, math.sqrt(0.5), math.sqrt(0.5)])
    assert intra_iteration(vectors) == 0.5
    assert intra_iteration(vectors, threshold=0.7) == 1
    assert repeated_share([0.95, 0.9, 0.1]) == pytest.approx(1 / 3)
    assert intra_iteration(np.ones((1, 2))) == 0
    assert intra_iteration(np.ones((0, 2))) == 0


def test_nearest_cosines_across_blocks() -> None:
    vectors = np.random.default_rng(2).standard_normal((2100, 8))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    full = unit @ unit.T
    np.fill_diagonal(full, -1)
    np.testing.assert_allclose(nearest_cosines(vectors), full.max(axis=1))


def test_the_mean_cosine_is_over_pairs_of_different_questions() -> None:
    assert mean_cosine(np.array([[1, 0], [0, 1], [-1, 0.0]])) == pytest.approx(-1 / 3)
    assert mean_cosine(np.array([[3, 4], [6, 8.0]])) == pytest.approx(1)
    assert mean_cosine(np.ones((1, 2))) == 0
