"""Evaluations of a real server with a tiny random model: wire, grading and figures together."""

import pytest
from tests.support.inference_models import make_tiny_model
from tests.support.inference_serving import served, tiny_config
from tests.support.testdata import data

from rdiverse.config import BenchmarkConfig, EvaluationConfig, SamplingConfig
from rdiverse.evaluation import Benchmark, BenchmarkItem, WeightsChangedError, evaluate, load_benchmark
from rdiverse.evaluation.judge import Judge
from rdiverse.evaluation.rzero import RZeroScorer
from rdiverse.evaluation.scorers import Scorers
from rdiverse.grading.pool import GradingPool
from rdiverse.grading.workers import WorkerPool
from rdiverse.inference.client import LanguageModelClient, SolverClient

SAMPLING = SamplingConfig(temperature=1.0, max_tokens=16)
SET = Benchmark("sums", tuple(BenchmarkItem(f"{i} + {i % 7}", str(i % 4), f"skill {i % 5}") for i in range(40)))


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    model = make_tiny_model(tmp_path_factory.mktemp("model"), positions=8192)
    with served("solver", tiny_config(model, max_model_len=8192)) as server:
        yield server.address


def measure(address, benchmarks, samples=4, **settings):
    config = EvaluationConfig(samples=samples, sampling=SAMPLING)
    given = {"seed": 1, "expected_weights": ""} | settings
    with SolverClient(address) as solver, GradingPool() as grader:
        return evaluate(benchmarks, solver, config, grader=grader, **given)


def test_the_same_seed_gives_the_same_figures_and_another_seed_others(address):
    first = measure(address, [SET])
    assert measure(address, [SET]) == first
    other = measure(address, [SET], seed=2)
    assert other.accuracy_greedy == first.accuracy_greedy
    assert other.benchmarks[0].tokens_sampled != first.benchmarks[0].tokens_sampled
    assert 0 < first.accuracy_sampled < 1
    assert first.unboxed_sampled > 0


def test_two_benchmarks_are_asked_together_and_reported_apart(address):
    other = Benchmark("others", SET.items[:13])
    result = measure(address, [SET, other])
    assert [b.questions for b in result.benchmarks] == [40, 13]
    assert result.accuracy_greedy == pytest.approx(sum(b.accuracy_greedy for b in result.benchmarks) / 2)
    assert result.benchmarks[1].accuracy_greedy == pytest.approx(_greedy(address, other))


def _greedy(address, benchmark) -> float:
    return measure(address, [benchmark]).accuracy_greedy


def test_other_weights_than_expected_are_refused(address):
    with pytest.raises(RuntimeError, match="WRONG_WEIGHTS"):
        measure(address, [SET], expected_weights="0123456789abcdef")
    assert issubclass(WeightsChangedError, RuntimeError)


def test_other_scorers_stand_beside_and_change_nothing(address):
    with WorkerPool(timeout=5) as workers, LanguageModelClient(address) as model:
        table = Scorers(RZeroScorer(workers), Judge(model, max_tokens=12))
        result = measure(address, [SET], scorers=table)
    (row,) = result.scorers
    plain = measure(address, [SET])
    assert plain.scorers == ()
    assert plain.to_json() == result.to_json() | {"scorers": ()}
    assert row.responses == 40
    assert row.strict == round(result.accuracy_greedy * 40)
    assert row.judge is not None
    assert row.r_zero is not None


def test_fifty_questions_of_every_public_set(address):
    names = ["gsm8k", "minerva_math", "olympiadbench", "amc23", "aime24"]
    whole = [load_benchmark(BenchmarkConfig(name=name, path=str(data(f"benchmarks/{name}.jsonl")))) for name in names]
    result = measure(address, [Benchmark(b.name, b.items[:50]) for b in whole], samples=2)
    assert [b.questions for b in result.benchmarks] == [50, 50, 50, 40, 30]
    assert result.grader_timeouts == 0
