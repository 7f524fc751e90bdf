"""Which questions are trained on, and how many are replayed."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdiverse.selfplay.curriculum import TooFewQuestionsError, keep, replay_count, training_rows

BAND = (0.3, 0.8)


@pytest.mark.parametrize(
    "share", [0.3, 3 / 10, 0.1 * 3, 0.1 + 0.2, float(np.float32(0.3)), 0.5, 8 / 10, 1 - 0.2, float(np.float32(0.8))]
)
def test_the_band_includes_its_ends_however_they_were_computed(share: float) -> None:
    assert keep(share, BAND)


@pytest.mark.parametrize("share", [0, 0.2, 2 / 9, 0.299, 0.801, 8 / 9, 0.9, 1])
def test_too_hard_and_too_easy_questions_are_left_out(share: float) -> None:
    assert not keep(share, BAND)


@pytest.mark.parametrize(
    ("new", "rho", "count"),
    [(7, 0.3, 3), (70, 0.3, 30), (100, 0.3, 42), (1, 0.3, 0), (5, 0, 0), (5, 0.5, 5), (0, 0.3, 0), (9, 0.9, 81)],
)
def test_replay_makes_up_its_share(new: int, rho: float, count: int) -> None:
    assert replay_count(new, rho) == count


@settings(deadline=None)
@given(st.integers(0, 100_000), st.integers(0, 99))
def test_replay_is_the_floor_of_the_exact_quotient(new: int, percent: int) -> None:
    share = Fraction(percent, 100)
    count = replay_count(new, percent / 100)
    assert count <= new * share / (1 - share) < count + 1


@pytest.mark.parametrize(("new", "rho"), [(-1, 0.3), (1, 1.0), (1, -0.1)])
def test_impossible_shares_are_refused(new: int, rho: float) -> None:
    with pytest.raises(ValueError, match="rho"):
        replay_count(new, rho)


def test_new_and_replayed_questions_are_trained_on_together_duplicates_kept() -> None:
    assert training_rows(["a", "b", "a"], ["c", "c"], batch=4) == ["a", "b", "a", "c", "c"]


def test_fewer_rows_than_a_batch_are_repeated_in_whole_passes() -> None:
    """R-Zero crashes when an iteration keeps fewer questions than one batch."""
    assert training_rows([1, 2], [3], batch=7) == [1, 2, 3] * 3
    assert training_rows([1, 2], [3], batch=3) == [1, 2, 3]
    assert training_rows([1], [], batch=4) == [1] * 4


@pytest.mark.parametrize(("new", "replayed", "least"), [([], [], 1), ([1] * 4, [1] * 3, 8), ([], [], 0)])
def test_too_few_questions_stop_with_the_reason(new: list[int], replayed: list[int], least: int) -> None:
    with pytest.raises(TooFewQuestionsError, match=rf"only {len(new) + len(replayed)} questions .*solver\.min_questions"):
        training_rows(new, replayed, batch=16, min_questions=least)


def test_exactly_enough_questions_are_enough() -> None:
    assert len(training_rows([1] * 5, [2] * 3, batch=4, min_questions=8)) == 8
