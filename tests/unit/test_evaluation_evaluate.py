"""Which figures come of which answers. The Solver is a table of answers; the grader is the real one."""

import json
from dataclasses import dataclass, field

import pytest

from rdiverse.config import EvaluationConfig, SamplingConfig
from rdiverse.evaluation import Benchmark, BenchmarkItem, IncompleteError, WeightsChangedError, evaluate
from rdiverse.grading.pool import GradingPool
from rdiverse.inference.client import Sample, Solved


@dataclass
class Scripted:
    """Answers each question with the given boxes, the first of them when greedy; the last question first."""

    answers: dict[str, list[str | None]]
    calls: list[tuple[int, float, int | None, str]] = field(default_factory=list)
    weights: tuple[str, ...] = ("w1",)
    lost: int = 0

    def iter_solve(self, questions, samples, *, seed, sampling, expected_weights, return_samples):
        assert return_samples
        self.calls.append((samples, sampling.temperature, seed, expected_weights))
        weights = self.weights[min(len(self.calls), len(self.weights)) - 1]
        for index in reversed(range(self.lost, len(questions))):
            answers = self.answers[questions[index]][:samples]
            drawn = tuple(Sample(a, False, "", "length" if a is None else "stop", 5) for a in answers)
            yield Solved(index, None, 0.0, 0, 0, 0, drawn, weights)


SETS = [
    Benchmark("sums", (BenchmarkItem("q1", "4", "a+b"), BenchmarkItem("q2", r"\frac{1}{2}", "a-b"))),
    Benchmark("tricks", (BenchmarkItem("q3", "7"),)),
]
ANSWERS = {"q1": ["4", "5", "4.0", None], "q2": ["0.5", "1/2", "2", "1/2"], "q3": [None, "7", "8", "9"]}


@pytest.fixture(scope="module")
def pool():
    with GradingPool() as pool:
        yield pool


def run(pool, **settings):
    solver = Scripted(ANSWERS)
    config = EvaluationConfig(samples=4, sampling=SamplingConfig(top_p=0.95))
    given = {"seed": 3, "expected_weights": "w1"} | settings
    return evaluate(SETS, solver, config, grader=pool, **given), solver


def test_accuracy_is_the_mean_over_benchmarks_of_the_mean_over_samples(pool):
    result, _ = run(pool)
    assert result.accuracy_sampled == pytest.approx(((0.5 + 0.75) / 2 + 0.25) / 2)
    assert [b.accuracy_sampled for b in result.benchmarks] == pytest.approx([0.625, 0.25])
    assert result.accuracy_greedy == pytest.approx((1.0 + 0.0) / 2)
    assert result.pass_at_k == pytest.approx({"1": 0.4375, "2": (((1 - 1 / 6) + 1) / 2 + 0.5) / 2, "4": 1.0})
    low, high = result.accuracy_sampled_interval
    assert 0 <= low < result.accuracy_sampled < high <= 1


def test_a_sample_without_a_box_is_wrong_and_counted(pool):
    result, _ = run(pool)
    assert (result.unboxed_sampled, result.unboxed_greedy) == (2, 1)
    assert [b.unboxed_sampled for b in result.benchmarks] == [1, 1]
    assert [b.cut_sampled for b in result.benchmarks] == [1, 1]


def test_skills_are_reported_where_questions_name_them(pool):
    result, _ = run(pool)
    assert [(s.skill, s.questions, s.accuracy_sampled, s.accuracy_greedy) for s in result.skills] == [
        ("a+b", 1, 0.5, 1.0),
        ("a-b", 1, 0.75, 1.0),
    ]
    assert result.worst_skill == 0.5


def test_without_skills_the_worst_one_is_null(pool):
    solver = Scripted(ANSWERS)
    result = evaluate(SETS[1:], solver, EvaluationConfig(samples=2, greedy=False), seed=0, expected_weights="", grader=pool)
    assert result.worst_skill is None
    assert result.accuracy_greedy is None
    assert result.unboxed_greedy is None


def test_two_passes_one_drawn_with_the_seed_one_greedy_and_both_of_the_expected_weights(pool):
    _, solver = run(pool)
    drawn, best = sorted(solver.calls, reverse=True)
    assert (drawn[:2], best[:2]) == ((4, 1.0), (1, 0.0))
    assert {drawn[3], best[3]} == {"w1"}
    assert drawn[2] != best[2], "each call has a seed of its own, derived from the evaluation's"
    again = run(pool)[1]
    assert sorted(again.calls) == sorted(solver.calls)


def test_the_result_is_json_and_says_how_it_was_made(pool):
    result, _ = run(pool)
    data = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert data["weights"] == "w1"
    assert data["samples"] == 4
    assert data["sampling"] == {"temperature": 1.0, "top_p": 0.95, "top_k": 0, "max_tokens": 4096}
    assert data["seed"] == 3
    assert data["questions"] == 3
    assert data["grader_timeouts"] == 0
    assert "Wilson" in data["interval"]


def test_nothing_to_measure_on_is_an_error(pool):
    with pytest.raises(ValueError, match="at least one benchmark"):
        evaluate([], Scripted({}), EvaluationConfig(samples=1), seed=0, expected_weights="", grader=pool)


def measure(solver, pool, **more):
    return evaluate(SETS, solver, EvaluationConfig(samples=4), grader=pool, seed=0, expected_weights="", **more)


def test_progress_is_told_answer_by_answer(pool):
    told = []
    measure(Scripted(ANSWERS), pool, progress=lambda done, total: told.append((done, total)))
    assert told[0] == (0, 15)
    assert told[-1] == (15, 15)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert len(told) == 1 + 3 + 3


def test_a_model_that_changes_on_the_way_is_an_error(pool):
    with pytest.raises(WeightsChangedError, match=r"from w\d to w\d"):
        measure(Scripted(ANSWERS, weights=("w1", "w2")), pool)


def test_a_call_that_ends_early_is_an_error_and_never_fewer_data(pool):
    with pytest.raises(IncompleteError, match="2 of 3 questions"):
        measure(Scripted(ANSWERS, lost=1), pool)
    with pytest.raises(IncompleteError, match="4 of 8 answers"):
        evaluate(
            SETS,
            Scripted(ANSWERS),
            EvaluationConfig(samples=8, greedy=False),
            seed=0,
            expected_weights="",
            grader=pool,
        )
