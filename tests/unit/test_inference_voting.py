"""Votes in turns: a turn gives what it had time for, and time-outs are told where they happened."""

import asyncio
import time

import pytest

from rdiverse.grading.partition import closure
from rdiverse.inference.servicers.voting import VoteCounter


class SlowFor:
    """A grader whose every comparison with one answer takes its time, and then times out."""

    def __init__(self, answer: str, seconds: float) -> None:
        self.timeouts = 0
        self._answer, self._seconds = answer, seconds

    def classes(self, answers):
        return closure(answers, self.equal)

    def equal(self, a: str, b: str) -> bool:
        if self._answer in (a, b):
            time.sleep(self._seconds)
            self.timeouts += 1
        return a == b


@pytest.fixture
def counter():
    counter = VoteCounter(SlowFor("slow", 0.1))
    yield counter
    counter.close()


def box(*answers: str) -> list[str]:
    return [f"\\boxed{{{answer}}}" for answer in answers]


def test_turns_vote_on_every_problem_in_order(counter):
    problems = [box("1", "2", "2"), ["nothing"], box("3", "03", "4", "4")]
    found = []
    while len(found) < 3:
        votes = asyncio.run(counter.count(problems[len(found) :], drop_unboxed=False))
        assert votes
        found += votes
    assert [(vote.answer, vote.vote.votes) for vote in found] == [("2", 2), (None, 0), ("4", 2)]
    assert [vote.timeouts for vote in found] == [0, 0, 0]


def test_a_turn_that_takes_long_gives_what_it_has(counter):
    problems = [box("slow", "2", "2"), box("5")]
    found = asyncio.run(counter.count(problems, drop_unboxed=False))
    assert [(vote.answer, vote.timeouts) for vote in found] == [("2", 1)]
