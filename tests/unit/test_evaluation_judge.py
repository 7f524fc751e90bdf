"""The judge is a model that replies by a rule; what is tested is what it is asked and what is made of its replies."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from rdiverse.evaluation.answers import Response
from rdiverse.evaluation.figures import Graded
from rdiverse.evaluation.items import Benchmark, BenchmarkItem
from rdiverse.evaluation.judge import Judge, Opinion, Pair
from rdiverse.evaluation.rzero import RZeroScorer
from rdiverse.evaluation.scorers import Scorers
from rdiverse.grading.workers import WorkerPool
from rdiverse.inference.client import Generated


@dataclass
class Ruled:
    """Replies by a function of the user's prompt."""

    reply: object
    asked: list[str] = field(default_factory=list)

    def generate(self, prompts, n, *, sampling):
        assert (n, sampling.temperature) == (1, 0.0)
        self.asked += [user for _, user in prompts]
        yield from reversed([Generated(i, 0, self.reply(user), "stop", 9, 9, (), "w1") for i, (_, user) in enumerate(prompts)])


def test_every_pair_is_asked_in_both_directions_and_once():
    model = Ruled(lambda user: r"\boxed{same}")
    pair = Pair("What?", "1/2", "0.5 {braces}")
    assert Judge(model).opinions([pair, pair]) == [Opinion(forward=True, backward=True)] * 2
    assert [user.index("1/2") < user.index("0.5 {braces}") for user in model.asked] == [True, False]
    assert all("What?" in user for user in model.asked)


@pytest.mark.parametrize(
    ("replies", "same", "undecided"),
    [
        ((r"\boxed{same}", r"\boxed{same}"), True, False),
        ((r"\boxed{same}", r"\boxed{different}"), False, True),
        (("same, I think", r"\boxed{same}"), False, True),
        ((r"\boxed{different}", r"\boxed{different}"), False, False),
        (("", ""), False, False),
    ],
)
def test_only_an_opinion_that_holds_in_both_directions_counts(replies, same, undecided):
    model = Ruled(lambda user: replies[0] if user.index("gold") < user.index("other") else replies[1])
    (opinion,) = Judge(model).opinions([Pair("?", "gold", "other")])
    assert opinion.same is same
    assert (opinion.forward is not opinion.backward) is undecided


def answers(*texts):
    return [
        [Response(text, rf"\boxed{{{text}}}", "stop", 3) if text else Response(None, "no box", "stop", 3)] for text in texts
    ]


def test_the_judge_is_asked_about_all_boxed_answers_and_stands_beside_the_strict_score():
    set_ = Benchmark(
        "set",
        (BenchmarkItem("q1", "4"), BenchmarkItem("q2", "5"), BenchmarkItem("q3", r"3\sqrt{13}"), BenchmarkItem("q4", "6")),
    )
    graded = Graded(np.array([[True], [False], [False], [False]]), unboxed=1, cut=0, tokens=12)
    model = Ruled(lambda user: r"\boxed{same}" if "Question:" in user else "Yes")
    with WorkerPool(timeout=5) as workers:
        (row,) = Scorers(RZeroScorer(workers), Judge(model)).table([set_], answers("4", "9", "3", None), [graded])
    assert (row.benchmark, row.responses, row.strict) == ("set", 4, 1)
    assert (row.r_zero, row.r_zero_alone, row.strict_alone) == (2, 1, 0)
    assert (row.judge, row.judge_undecided) == (3, 0)
    assert sum("Question:" in user for user in model.asked) == 6, "three boxed answers, two directions"
    assert row.r_zero_with_judge == 4, "R-Zero asks about its two failures only"
    assert any(user.index("5") < user.index(r"\boxed{9}") for user in model.asked if "Question:" not in user), (
        "gold and response exchanged"
    )


def test_without_other_scorers_there_is_nothing_beside():
    set_ = Benchmark("set", (BenchmarkItem("q1", "4"),))
    graded = Graded(np.array([[True]]), unboxed=0, cut=0, tokens=3)
    (row,) = Scorers().table([set_], answers("4"), [graded])
    assert (row.r_zero, row.judge, row.r_zero_with_judge, row.strict) == (None, None, None, 1)
