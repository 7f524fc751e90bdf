"""What the policies are paid, in numbers worked out by hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdiverse.selfplay.rewards import (
    PenaltyConstants,
    PenaltyRangeError,
    challenger_reward,
    largest_map_penalty,
    malformed_reward,
    map_penalty,
    solver_reward,
    uncertainty,
)

PUBLISHED = PenaltyConstants()
UNIT = st.floats(0, 1)


@pytest.mark.parametrize(
    ("field", "value"),
    [("cluster_threshold", 0), ("cluster_threshold", 2.1), ("gamma", -0.1), ("tau_max", float("nan")), ("tau_mean", 1.5)],
)
def test_constants_have_ranges(field, value):
    with pytest.raises(PenaltyRangeError, match=f"^{field}: must be .*not") as caught:
        PenaltyConstants(**{field: value})
    assert caught.value.field == field


@pytest.mark.parametrize(("share", "tent", "minimum"), [(0, 0, 0), (0.1, 0.2, 0.1), (0.5, 1, 0.5), (0.8, 0.4, 0.2), (1, 0, 0)])
def test_uncertainty_is_largest_at_one_half(share: float, tent: float, minimum: float) -> None:
    assert uncertainty(share, "tent") == pytest.approx(tent)
    assert uncertainty(share, "min") == pytest.approx(minimum)


def test_a_share_outside_its_range_is_refused() -> None:
    with pytest.raises(ValueError, match="share"):
        uncertainty(1.1, "min")


@pytest.mark.parametrize(
    ("s_max", "s_mean", "penalty"),
    [
        (0.5, 0.25, 0),  # at the thresholds
        (-1, -1, 0),
        (0.9, 0.0, 0.2),  # 0.5 * 0.4
        (0.0, 0.45, 0.1),  # 0.5 * 0.2
        (0.9, 0.45, 0.3),
        (1, 1, 0.625),  # 0.5 * 0.5 + 0.5 * 0.75
    ],
)
def test_the_memory_penalty_counts_what_exceeds_its_thresholds(s_max: float, s_mean: float, penalty: float) -> None:
    assert map_penalty(s_max, s_mean, PUBLISHED) == pytest.approx(penalty)


def test_gamma_weighs_the_nearest_against_the_mean() -> None:
    assert map_penalty(1, 1, PenaltyConstants(gamma=1)) == pytest.approx(0.5)
    assert map_penalty(1, 1, PenaltyConstants(gamma=0)) == pytest.approx(0.75)


def test_the_challengers_reward_subtracts_both_penalties() -> None:
    assert challenger_reward(0.4, 0.25, 0.1, alpha=1, beta=1) == pytest.approx(0.05)
    assert challenger_reward(0.4, 0.25, 0.1, alpha=2, beta=0.5) == pytest.approx(-0.15)


def test_malformed_pays_less_than_the_worst_question() -> None:
    assert largest_map_penalty(PUBLISHED) == 0.625
    assert malformed_reward(1, 1, PUBLISHED) < -1.625


def test_only_compat_pays_what_r_zero_pays() -> None:
    assert malformed_reward(1, 1, PUBLISHED, compat=True) == -1


@settings(deadline=None)
@given(
    UNIT,
    UNIT,
    st.floats(-1, 1),
    st.floats(-1, 1),
    st.floats(0, 100),
    st.floats(0, 100),
    UNIT,
    st.floats(-1, 1),
    st.floats(-1, 1),
)
def test_no_well_formed_question_earns_as_little_as_malformed(
    share: float,
    rep: float,
    s_max: float,
    s_mean: float,
    alpha: float,
    beta: float,
    gamma: float,
    tau_max: float,
    tau_mean: float,
) -> None:
    constants = PenaltyConstants(gamma=gamma, tau_max=tau_max, tau_mean=tau_mean)
    reward = challenger_reward(uncertainty(share, "min"), rep, map_penalty(s_max, s_mean, constants), alpha, beta)
    assert reward > malformed_reward(alpha, beta, constants)


def test_the_solver_is_paid_for_the_label_and_in_r_zeros_composition_for_the_box() -> None:
    assert [solver_reward(c, b) for c, b in [(True, True), (False, True), (False, False)]] == [1, 0, 0]
    assert [solver_reward(c, b, 0.9) for c, b in [(True, True), (False, True), (False, False)]] == pytest.approx([1, 0.1, 0])
