"""The worst tenth of the skills, where four answers a skill are mostly luck."""

import numpy as np
import pytest

from rdiverse.evaluation.worst import _lowest_tenth_of_beta, worst_tenth


def asked(truth, rng, samples=4):
    """One question of each skill, answered with the skill's true accuracy."""
    return [rng.random((1, samples)) < accuracy for accuracy in truth]


def mean_over_worlds(draw, worlds=20):
    rng = np.random.default_rng(0)
    found, true = [], []
    for _ in range(worlds):
        truth = draw(rng)
        found.append(worst_tenth(asked(truth, rng)))
        true.append(np.sort(truth)[: len(truth) // 10].mean())
    return np.mean(found), np.mean(true)


@pytest.mark.parametrize(("a", "b"), [(0.8, 1.4), (2, 1.5), (0.5, 0.5), (8, 2)])
def test_it_finds_the_true_accuracy_of_the_worst(a, b):
    found, true = mean_over_worlds(lambda rng: rng.beta(a, b, 400))
    assert found == pytest.approx(true, abs=0.025)


def test_bad_luck_is_not_taken_for_a_bad_skill():
    found, _ = mean_over_worlds(lambda rng: np.full(400, 0.5))
    assert found == pytest.approx(0.5, abs=0.08), "the lowest tenth of the measured accuracies would be 0"


def test_skills_of_another_shape_are_still_found_bad():
    found, true = mean_over_worlds(lambda rng: np.where(rng.random(400) < 0.2, 0.05, 0.7))
    assert true == pytest.approx(0.05)
    assert found < 0.2


@pytest.mark.parametrize(("a", "b"), [(0.05, 0.05), (0.3, 4), (1, 1), (30, 3), (500, 500)])
def test_the_lowest_tenth_of_a_beta_distribution(a, b):
    drawn = np.sort(np.random.default_rng(1).beta(a, b, 400_000))[:40_000].mean()
    assert _lowest_tenth_of_beta(a, b) == pytest.approx(drawn, abs=2e-3)


def test_several_questions_of_a_skill_say_how_much_is_luck():
    rng = np.random.default_rng(2)
    hard = [rng.random((30, 1)) < 0.2 for _ in range(10)]
    easy = [rng.random((30, 1)) < 0.8 for _ in range(40)]
    assert worst_tenth(hard + easy) == pytest.approx(0.2, abs=0.12)


def test_of_a_few_skills_it_is_the_lowest():
    assert worst_tenth([np.array([[True, False]]), np.array([[True, True]])]) == 0.5


def test_single_answers_leave_it_unknown():
    assert worst_tenth([np.array([[i % 2 == 0]]) for i in range(40)]) is None


@pytest.mark.parametrize("right", [True, False])
def test_all_right_or_all_wrong_has_no_worst(right):
    assert worst_tenth([np.full((1, 4), right) for _ in range(40)]) == float(right)
