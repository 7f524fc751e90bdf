"""Votes in turns: a turn gives what it had time for, and time-outs are told where they happened."""

import asyncio
import time

import pytest

from rdiverse.inference.servicers.judging import Judge


class SlowFor:
    """Equality whose every comparison with one answer takes its time, and then times out."""

    def __init__(self, answer: str, seconds: float) -> None:
        self.timeouts = 0
        self._answer, self._seconds = answer, seconds

    def equal(self, a: str, b: str) -> bool:
        if self._answer in (a, b):
            time.sleep(self._seconds)
            self.timeouts += 1
        return a == b


@pytest.fixture
def judge():
    judge = Judge(SlowFor("slow", 0.1))
    yield judge
    judge.close()


def box(*answers: str) -> list[str]:
    return [f"\\boxed{{{answer}}}" for answer in answers]


def test_turns_vote_on_every_problem_in_order(judge):
    problems = [box("1", "2", "2"), ["nothing"], box("3", "03", "4", "4")]
    found = []
    while len(found) < 3:
        verdicts = asyncio.run(judge.votes(problems[len(found) :], drop_unboxed=False))
        assert verdicts
        found += verdicts
    assert [(verdict.answer, verdict.vote.votes) for verdict in found] == [("2", 2), (None, 0), ("4", 2)]
    assert [verdict.timeouts for verdict in found] == [0, 0, 0]


def test_a_turn_that_takes_long_gives_what_it_has(judge):
    problems = [box("slow", "2", "2"), box("5")]
    found = asyncio.run(judge.votes(problems, drop_unboxed=False))
    assert [(verdict.answer, verdict.timeouts) for verdict in found] == [("2", 1)]
