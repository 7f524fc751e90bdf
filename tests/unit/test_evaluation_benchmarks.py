"""Every public set keeps question and answer elsewhere; all come out alike."""

import json

import pytest

from rdiverse.config import BenchmarkConfig
from rdiverse.evaluation import Benchmark, BenchmarkError, BenchmarkItem, Kind, load_benchmark
from rdiverse.evaluation.known import KNOWN, HubSet


@pytest.fixture
def load(tmp_path):
    def load(*rows) -> Benchmark:
        path = tmp_path / "set.jsonl"
        path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), encoding="utf-8")
        return load_benchmark(BenchmarkConfig(name="set", path=str(path)))

    return load


@pytest.mark.parametrize(
    ("row", "item"),
    [
        ({"question": "2 + 3?", "answer": "5", "skill": "a+b"}, BenchmarkItem("2 + 3?", "5", "a+b")),
        ({"question": "q", "answer": "1 + 1 = <<1+1=2>>2\n#### 1,450"}, BenchmarkItem("q", "1,450")),
        ({"problem": "q", "question": "q", "answer": 27.0}, BenchmarkItem("q", "27")),
        ({"problem": "q", "answer": "033", "solution": r"so $\boxed{33}$"}, BenchmarkItem("q", "033")),
        ({"problem": "q", "solution": r"$\boxed{1}$, no, $\boxed{\frac{1}{2}}$."}, BenchmarkItem("q", r"\frac{1}{2}")),
        (
            {"question": "q", "context": "Given c.", "solution": ["s"], "final_answer": ["$2^{k}$"]},
            BenchmarkItem("Given c.\n\nq", "$2^{k}$"),
        ),
    ],
)
def test_a_row_of_each_set(load, row, item):
    assert load(row).items == (item,)


def test_blank_lines_are_no_rows_and_separators_in_texts_are_no_line_ends(load):
    assert [
        item.question for item in load({"question": "a\u2028b", "answer": 1}, "", {"question": "c", "answer": 2.5}).items
    ] == ["a\u2028b", "c"]


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ((), "must hold at least one question"),
        (("{",), "line 1: is not JSON"),
        (("[1]",), r"line 1: must be a JSON object"),
        (({"question": "q", "answer": 1}, {"question": "q"}), "row 2: answer"),
        (({"question": " ", "answer": 1},), "row 1: question"),
        (({"question": "q", "answer": ""},), "row 1: answer"),
        (({"question": "q", "answer": True},), "row 1: answer"),
        (({"question": "q", "final_answer": ["1", "2"]},), "row 1: final_answer"),
        (({"question": "q", "solution": "no box"},), "row 1: answer"),
        (({"question": "q", "answer": 1, "skill": 3},), "row 1: skill"),
        (({"question": "q", "options": ["x"], "answer": "A"},), "row 1: options"),
        (({"question": "q", "options": ["x", "y"], "answer": "C"},), "from A to B"),
    ],
)
def test_a_fault_names_the_file_and_the_row(load, rows, fault):
    with pytest.raises(BenchmarkError, match=fault) as caught:
        load(*rows)
    assert "set.jsonl" in str(caught.value)


@pytest.mark.parametrize("path", ["/nowhere/set.jsonl", "pkg:no_such_package/set.jsonl"])
def test_a_file_that_is_not_there_is_named(path):
    with pytest.raises(BenchmarkError, match=r"nowhere|no_such_package"):
        load_benchmark(BenchmarkConfig(name="set", path=path))


@pytest.mark.parametrize(
    "row",
    [
        {"uuid": "1", "question": "Capital?", "options": ["Rome", "Oslo"], "answer": "Oslo", "answer_letter": "B"},
        {
            "question_id": 1,
            "question": "Capital?",
            "options": ["Rome", "Oslo"],
            "answer": "B",
            "answer_index": 1,
            "category": "x",
        },
    ],
    ids=["SuperGPQA", "MMLU-Pro"],
)
def test_a_multiple_choice_is_asked_with_its_options_and_expects_a_letter(load, row):
    (item,) = load(row).items
    assert item.kind is Kind.CHOICE
    assert item.answer == "B"
    assert "A. Rome\nB. Oslo" in item.question


def test_a_set_with_a_known_name_is_graded_as_that_one(tmp_path):
    path = tmp_path / "bbeh.jsonl"
    path.write_text(json.dumps({"question": "Who?", "answer": "unknown", "task": "x"}))
    (item,) = load_benchmark(BenchmarkConfig(name="bbeh", path=str(path))).items
    assert item.kind is Kind.TEXT


def test_a_set_of_the_hub_is_read_through_its_own_library(tmp_path, monkeypatch):
    """The hub's place is taken by a folder, which that library reads in the same way."""
    rows = [{"question": f"q{i}", "answer": f"so\n#### {i}"} for i in range(3)]
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.setitem(KNOWN, "gsm8k", HubSet(str(tmp_path), "test"))
    benchmark = load_benchmark(BenchmarkConfig(name="mine", path="hub:gsm8k"))
    assert [item.answer for item in benchmark.items] == ["0", "1", "2"]


def test_a_hub_that_does_not_answer_is_a_readable_error(tmp_path, monkeypatch):
    monkeypatch.setitem(KNOWN, "gsm8k", HubSet(str(tmp_path / "nothing"), "test"))
    with pytest.raises(BenchmarkError, match="cannot be had from the hub"):
        load_benchmark(BenchmarkConfig(name="mine", path="hub:gsm8k"))
