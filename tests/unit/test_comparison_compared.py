"""Means, intervals and paired differences, worked by hand."""

import math

import pytest
from tests.support.comparison_summaries import SKILLS, THREE, setting, summary, write_all

from rdiverse.selfplay.methods import Method
from rdiverse_pipelines.comparison.compared import NothingToCompareError, compare
from rdiverse_pipelines.comparison.statistics import paired, spread
from rdiverse_pipelines.comparison.summaries import SummaryError, read_summaries, read_summary

T_2 = 4.302652729911275
"""Student's t with two degrees of freedom, 97.5 % (any table)."""


def runs(accuracies=THREE):
    return [summary(method, seed, value) for method, seeds in accuracies.items() for seed, value in seeds.items()]


@pytest.fixture(scope="module")
def found():
    return compare(runs(), setting(), Method.R_ZERO)


def test_a_spread_is_mean_standard_deviation_and_students_interval():
    result = spread({0: 0.5, 1: 0.6, 2: 0.7})
    assert result.mean == pytest.approx(0.6)
    assert result.sd == pytest.approx(0.1)
    assert result.half_width == pytest.approx(T_2 * 0.1 / math.sqrt(3))
    assert (result.low + result.high) / 2 == pytest.approx(0.6)


def test_one_seed_has_no_spread_and_none_no_figure():
    assert (spread({4: 0.5}).mean, spread({4: 0.5}).sd, spread({4: 0.5}).low) == (0.5, None, None)
    assert spread({0: None, 1: None}) is None
    assert spread({0: None, 1: 0.25}).values == {1: 0.25}


def test_differences_are_taken_seed_by_seed_over_the_seeds_that_both_have():
    result = paired({0: 0.53, 1: 0.65, 2: 0.71, 3: 0.99, 4: None}, {0: 0.50, 1: 0.60, 2: 0.70, 4: 0.1})
    assert result.values == pytest.approx({0: 0.03, 1: 0.05, 2: 0.01})
    assert result.mean == pytest.approx(0.03)
    assert result.sd == pytest.approx(0.02)
    assert result.half_width == pytest.approx(T_2 * 0.02 / math.sqrt(3))
    assert result.higher == 3
    assert not result.apart, "0.03 ± 0.0497"
    assert paired({0: 0.5}, {1: 0.5}) is None


def test_an_interval_that_leaves_out_zero_is_marked():
    assert paired({0: 0.12, 1: 0.13, 2: 0.14}, {0: 0.1, 1: 0.1, 2: 0.1}).apart
    assert paired({0: 0.08, 1: 0.07, 2: 0.06}, {0: 0.1, 1: 0.1, 2: 0.1}).apart
    assert not paired({0: 0.12}, {0: 0.1}).apart, "one seed says nothing of spread"


def test_every_iteration_has_its_spreads_and_differences(found):
    zero, diverse, without = found.methods
    assert (zero.seeds, diverse.seeds, without.seeds) == ([0, 1, 2], [0, 1, 2, 3], [0])
    assert zero.iterations[2]["accuracy_sampled"].mean == pytest.approx(0.6)
    assert zero.iterations[1]["accuracy_sampled"].mean == pytest.approx(0.5)
    assert zero.differences == []
    assert diverse.differences[2]["accuracy_sampled"].mean == pytest.approx(0.03)
    assert diverse.differences[0]["accuracy_sampled"].mean == 0
    assert without.differences[2]["accuracy_sampled"].values == pytest.approx({0: -0.05})


def test_figures_that_an_iteration_does_not_have_are_absent_not_zero(found):
    rows = found.methods[0].iterations
    assert "label_accuracy" not in rows[0]
    assert "cross_iteration_repetition" not in rows[1]
    assert rows[2]["cross_iteration_repetition"].mean == pytest.approx(0.6)
    assert rows[1]["p_map_spread" if "p_map_spread" in rows[1] else "p_rep_spread"].mean == 0.04


def test_shares_of_the_pool_and_terms_of_the_reward_are_measures_too(found):
    last = found.methods[0].iterations[2]
    assert last["kept_share"].mean == 0.5
    assert last["malformed_share"].mean == 0.02
    assert last["seen_p_rep"].mean == pytest.approx(0.01)
    assert last["coverage"].mean == pytest.approx(0.4)


def test_labels_are_pooled_by_self_consistency(found):
    labels = found.methods[0].labels
    assert labels[3] == (9, 24), "three runs with 1 of 4 and 2 of 4"
    assert labels[8] == (54, 60)
    assert labels[5] == (0, 0)


def test_skills_are_grouped_by_steps_and_by_what_they_hold(found):
    groups = {group.name: group for group in found.groups}
    assert len(SKILLS) == 7
    assert {name: group.skills for name, group in groups.items()} == {"2 steps": 6}, "smaller groups are left out"
    group = groups["2 steps"]
    assert group.base.mean == pytest.approx(0.4)
    assert group.last[Method.R_ZERO].mean == pytest.approx(0.6)
    assert group.differences[Method.R_DIVERSE].mean == pytest.approx(0.03)
    assert Method.R_ZERO not in group.differences


def test_nothing_to_compare_says_what_failed():
    with pytest.raises(NothingToCompareError, match="r-zero-seed0: it burnt"):
        compare([], setting(), Method.R_ZERO, ["r-zero-seed0: it burnt"])


def test_a_summary_comes_back_as_it_was_written(tmp_path):
    run = summary(Method.R_ZERO, 3, 0.5)
    run.write(tmp_path / run.name)
    assert run.name == "r-zero-seed3.json"
    assert read_summary(tmp_path / run.name) == run


def test_summaries_come_by_method_and_seed(tmp_path):
    write_all(tmp_path, THREE)
    read = read_summaries(tmp_path / "summaries", setting())
    assert [(run.method, run.seed) for run in read][:4] == [
        (Method.R_ZERO, 0),
        (Method.R_ZERO, 1),
        (Method.R_ZERO, 2),
        (Method.R_DIVERSE, 0),
    ]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (setting(base="b1"), "weights and data.model: 'b1' before, 'b0' now"),
        (setting(iterations=5), "iterations: 5 before, 2 now"),
        (setting(replay_share=0.5), "replay_share: 0.5 before, 0.3 now"),
    ],
)
def test_a_summary_of_another_setting_is_refused_with_what_differs(tmp_path, other, said):
    summary(Method.R_ZERO, 0, 0.5, shared=other).write(tmp_path / "r-zero-seed0.json")
    with pytest.raises(
        SummaryError, match=r"r-zero-seed0\.json is of a run with another configuration or base model"
    ) as refusal:
        read_summaries(tmp_path, setting())
    assert said in str(refusal.value)


def test_method_seed_and_place_are_no_part_of_the_setting():
    moved = setting(method=Method.NO_PENALTY, seed=9, run_id="x", model="/elsewhere", keep_iterations=1)
    assert moved == setting()
    assert moved.digest == setting().digest
    assert setting(base="b1").digest != setting().digest


def test_a_field_that_the_configuration_has_gained_since_has_its_default():
    stored = setting().to_json()
    del stored["config"]["replay_share"]
    assert type(setting()).read(stored) == setting()


@pytest.mark.parametrize("text", ["", "[]", '{"format": 2}', '{"format": 1, "method": "r-zero"}'])
def test_what_is_no_summary_is_named(tmp_path, text):
    (tmp_path / "r-zero-seed0.json").write_text(text)
    with pytest.raises(SummaryError, match=r"r-zero-seed0\.json"):
        read_summaries(tmp_path, setting())


def test_a_summary_under_another_runs_name_is_refused(tmp_path):
    summary(Method.R_ZERO, 0, 0.5).write(tmp_path / "r-zero-seed1.json")
    with pytest.raises(SummaryError, match="its name should be r-zero-seed0"):
        read_summaries(tmp_path, setting())
