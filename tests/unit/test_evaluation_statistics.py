"""Intervals, pass@k and the worst tenth, each against a slower or older way to the same number."""

import itertools

import numpy as np
import pytest

from rdiverse.evaluation.statistics import Estimate, mean_at_k, mean_of, pass_at_k, powers_of_two


@pytest.mark.parametrize(
    ("right", "questions", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (5, 10, 0.2366, 0.7634), (81, 263, 0.2553, 0.3662)],
)
def test_with_one_sample_the_interval_is_wilsons(right, questions, low, high):
    # Published values: Newcombe 1998 for 81/263, the textbook formula for the rest.
    verdicts = np.arange(questions)[:, None] < right
    assert mean_at_k(verdicts) == pytest.approx((right / questions, low, high), abs=5e-5)


def test_repeating_an_answer_does_not_narrow_the_interval():
    once = np.random.default_rng(0).random((50, 1)) < 0.3
    assert mean_at_k(np.repeat(once, 32, axis=1)) == pytest.approx(mean_at_k(once))


def test_independent_samples_do_narrow_it():
    rng = np.random.default_rng(0)
    wide, narrow = (mean_at_k(rng.random((200, k)) < 0.3) for k in (1, 16))
    assert narrow.high - narrow.low < 0.4 * (wide.high - wide.low)


@pytest.mark.parametrize(("questions", "samples"), [(60, 1), (30, 8), (200, 4)])
def test_nineteen_intervals_in_twenty_hold_the_true_accuracy(questions, samples):
    """Questions differ in difficulty; each world draws new questions and new samples."""
    rng = np.random.default_rng(1)
    worlds = 1500
    truth = 0.3
    difficulty = rng.beta(0.6, 1.4, size=(worlds, questions, 1))
    verdicts = rng.random((worlds, questions, samples)) < difficulty
    held = sum(e.low <= truth <= e.high for e in map(mean_at_k, verdicts))
    assert 0.93 <= held / worlds <= 0.98


def test_a_mean_over_benchmarks_weighs_each_the_same_and_is_surer_than_one():
    one = Estimate(0.5, 0.4, 0.6)
    assert mean_of([one]) == pytest.approx(one)
    assert mean_of([one] * 4) == pytest.approx((0.5, 0.45, 0.55))
    assert mean_of([Estimate(0, 0, 0.3), Estimate(1, 0.6, 1)]) == pytest.approx((0.5, 0.3, 0.65))


def test_pass_at_k_is_the_share_of_subsets_with_a_right_answer():
    verdicts = np.random.default_rng(2).random((20, 6)) < 0.25
    for k in range(1, 7):
        subsets = list(itertools.combinations(range(6), k))
        counted = np.mean([[row[list(subset)].any() for subset in subsets] for row in verdicts])
        assert pass_at_k(verdicts, k) == pytest.approx(counted)


def test_a_curve_ends_at_the_number_of_samples():
    assert [powers_of_two(n) for n in (1, 2, 6, 8)] == [[1], [1, 2], [1, 2, 4, 6], [1, 2, 4, 8]]
