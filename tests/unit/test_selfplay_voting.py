"""The majority vote."""

import random
from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from rdiverse.grading.partition import closure
from rdiverse.selfplay.curriculum import keep
from rdiverse.selfplay.voting import vote


def same(answers: Iterable[str]) -> list[set[str]]:
    return [{answer} for answer in answers]


def equal_numbers(a: str, b: str) -> bool:
    return float(a) == float(b)


def same_number(answers: Iterable[str]) -> list[set[str]]:
    return closure(answers, equal_numbers)


def test_the_majority_answers_and_its_share_is_the_self_consistency() -> None:
    outcome = vote(["7", "8", "7", "9", "7"], same)
    assert outcome.answer == "7"
    assert (outcome.votes, outcome.boxed, outcome.share) == (3, 5, 0.6)
    assert outcome.agrees == (True, False, True, False, True)


def test_equal_answers_vote_together_whatever_their_spelling() -> None:
    outcome = vote(["0.5", "0.50", "1", "1", "0.5"], same_number)
    assert (outcome.answer, outcome.votes) == ("0.5", 3)
    assert outcome.agrees == (True, True, False, False, True)


def test_equality_is_transitive_within_a_vote() -> None:
    """A check that misses a = c still puts a, b, c into one class when a = b and b = c."""
    pairs = {frozenset("ab"), frozenset("bc")}
    outcome = vote(["a", "c", "b", "d"], lambda answers: closure(answers, lambda x, y: frozenset((x, y)) in pairs))
    assert outcome.votes == 3
    assert outcome.agrees == (True, True, True, False)


def test_a_sample_without_an_answer_counts_in_the_denominator() -> None:
    assert vote(["7", "7", None, None], same).share == 0.5


def test_labelling_as_r_zero_does_leaves_it_out_of_the_denominator() -> None:
    outcome = vote(["7", "7", "8", None, None], same, drop_unboxed=True)
    assert outcome.share == 2 / 3
    assert (outcome.votes, outcome.boxed) == (2, 3)


def test_samples_without_an_answer_never_win() -> None:
    """R-Zero lets them vote as the string "None"."""
    outcome = vote([None] * 9 + ["5"], same)
    assert (outcome.answer, outcome.share) == ("5", 0.1)
    assert outcome.agrees == (False,) * 9 + (True,)
    assert vote([None, None], same) == (None, 0.0, 0, 0, (False, False))
    assert vote([None, None], same, drop_unboxed=True).share == 0.0
    assert vote([], same) == (None, 0.0, 0, 0, ())


def test_three_of_ten_and_eight_of_ten_are_in_the_band() -> None:
    for votes, kept in [(2, False), (3, True), (8, True), (9, False)]:
        share = vote(["1"] * votes + [f"x{i}" for i in range(10 - votes)], same).share
        assert keep(share, (0.3, 0.8)) is kept


def test_a_pair_is_asked_once_and_identical_spellings_never() -> None:
    asked = []

    def equal(a: str, b: str) -> bool:
        asked.append(frozenset((a, b)))
        return False

    vote(["1", "2", "3", "1", "2", "3", "1"], lambda answers: closure(answers, equal))
    assert sorted(map(sorted, asked)) == [["1", "2"], ["1", "3"], ["2", "3"]]


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["1", "1.0", "2", "2.0", "3", None]), max_size=12),
    st.randoms(use_true_random=False),
    st.booleans(),
)
def test_the_order_of_the_samples_does_not_matter(answers: list[str | None], rng: random.Random, drop: bool) -> None:
    shuffled = rng.sample(answers, len(answers))
    one, other = vote(answers, same_number, drop), vote(shuffled, same_number, drop)
    assert one[:4] == other[:4]
    assert dict(zip(answers, one.agrees, strict=True)) == dict(zip(shuffled, other.agrees, strict=True))


@settings(deadline=None)
@given(st.lists(st.sampled_from(["1", "1.0", "2", "2.0", "3", None]), max_size=12))
def test_a_vote_is_consistent_with_itself(answers: list[str | None]) -> None:
    outcome = vote(answers, same_number)
    assert sum(outcome.agrees) == outcome.votes <= outcome.boxed == sum(a is not None for a in answers)
    for answer, agrees in zip(answers, outcome.agrees, strict=True):
        assert agrees == (answer is not None and outcome.answer is not None and equal_numbers(answer, outcome.answer))
    for answer in answers:
        if answer is not None:
            assert sum(a is not None and equal_numbers(a, answer) for a in answers) <= outcome.votes
