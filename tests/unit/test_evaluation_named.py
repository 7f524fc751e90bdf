"""How a command line names test sets."""

import pytest

from rdiverse.evaluation import BenchmarkError, load_benchmark
from rdiverse.evaluation.known import GENERAL_SETS, KNOWN, MATH_SETS, paper_averages
from rdiverse.evaluation.served import named_benchmarks


def test_a_known_name_a_pair_and_a_file():
    found = named_benchmarks(["aime24", "mine=/data/set.jsonl", "/data/gsm8k.jsonl"])
    assert [(b.name, b.path) for b in found] == [
        ("aime24", "hub:aime24"),
        ("mine", "/data/set.jsonl"),
        ("gsm8k", "/data/gsm8k.jsonl"),
    ]


@pytest.mark.parametrize("name", ["Not A Set", "=x", "mine="])
def test_what_is_none_is_refused_with_the_known_names(name):
    with pytest.raises(BenchmarkError, match="olympiadbench"):
        named_benchmarks([name])


def test_an_unknown_hub_name_is_refused(tmp_path):
    with pytest.raises(BenchmarkError, match="is not one of"):
        load_benchmark(named_benchmarks(["x=hub:nothing"])[0])


def test_the_ten_sets_of_the_paper():
    assert set(MATH_SETS) == {"amc23", "minerva", "math500", "gsm8k", "olympiadbench", "aime24", "aime25"}
    assert set(GENERAL_SETS) == {"supergpqa", "mmlu-pro", "bbeh"}
    assert len(KNOWN) == 10


def test_the_overall_average_counts_mathematics_once():
    accuracies = dict.fromkeys(MATH_SETS, 0.5) | {"supergpqa": 0.3, "mmlu-pro": 0.4, "bbeh": 0.0}
    assert paper_averages(accuracies) == {"math_average": 0.5, "overall_average": pytest.approx(0.3)}


def test_an_average_that_lacks_a_set_is_null():
    accuracies = dict.fromkeys(MATH_SETS, 0.5) | {"supergpqa": 0.3}
    assert paper_averages(accuracies) == {"math_average": 0.5, "overall_average": None}
    assert paper_averages({}) == {"math_average": None, "overall_average": None}
