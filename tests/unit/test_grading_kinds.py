"""What each kind of answer equals: pairs that graders got wrong, and pairs made by rule with verdicts by construction."""

import json
from pathlib import Path

import pytest
from tests.support.answers import KINDS, Pair, committed, pairs
from tests.support.testdata import data

from rdiverse.grading.decide import compare
from rdiverse.grading.normal import form, normal_form


def wrong(found: list[Pair]) -> list[Pair]:
    """Pairs whose verdict is not met both ways without asking a library."""
    return [
        pair
        for pair in found
        for a, b in ((pair.a, pair.b), (pair.b, pair.a))
        if (compare(form(a), form(b)) == []) != pair.equal
    ]


def test_pairs_that_graders_got_wrong() -> None:
    rows = [Pair(**json.loads(line)) for line in data("cases/grader.jsonl").read_text("utf-8").splitlines()]
    assert rows
    assert not wrong(rows)


@pytest.mark.parametrize("kind", KINDS)
def test_pairs_of_every_kind(kind: str) -> None:
    equal, unequal = pairs(kind, 40, equal=True), pairs(kind, 40, equal=False)
    assert min(len(equal), len(unequal)) >= 30
    assert not wrong(equal)
    assert not wrong(unequal)


@pytest.mark.parametrize("kind", KINDS)
def test_a_normal_form_reads_as_the_answer(kind: str) -> None:
    for pair in pairs(kind, 30, equal=True, seed=1):
        for text in (pair.a, pair.b):
            assert form(normal_form(text)).key == form(text).key, text


def test_kinds_do_not_equal_each_other() -> None:
    """Different kinds are unequal, but for what docs/grading.md names."""
    for text, others in {
        "3:20": ["3:20 PM", "3/20"],
        "5": ["V", "five", "(5)!", "5 R 0"],
        "(1, 2)": ["1, 2", r"\{1, 2\}", "1:2", r"\begin{pmatrix}1\\2\end{pmatrix}"],
        "1, 2": ["1:2", "1/2", "1.2"],
        "x = 1": ["x > 1", r"x \ne 1"],
        "March 5": ["March 5, 2020", "5"],
        "A": ["a", "AA"],
    }.items():
        for other in others:
            assert (compare(form(text), form(other)) == []) == (other == "3:20 PM"), (text, other)


def test_the_benchmarks_pairs_are_those_that_the_rules_make() -> None:
    lines = (Path(__file__).parents[2] / "benchmarks" / "grading_pairs.jsonl").read_text("utf-8").splitlines()
    assert [Pair(**json.loads(line)) for line in lines] == committed()


@pytest.mark.long
def test_no_false_equality_in_twenty_thousand_pairs() -> None:
    found = [pair for kind in KINDS for pair in pairs(kind, 600, equal=False, seed=2)]
    counts = {kind: sum(pair.kind == kind for pair in found) for kind in KINDS}
    assert len(found) >= 20_000
    assert {kind: count for kind, count in counts.items() if count < 300} == {}
    assert not wrong(found)
