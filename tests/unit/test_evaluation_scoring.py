"""Three ways of scoring the same responses. The strict one never guesses; R-Zero's keeps the misjudgements it is known for."""

import psutil
import pytest

from rdiverse.evaluation.answers import Response
from rdiverse.evaluation.choice import read_choice, with_options
from rdiverse.evaluation.grade import strict
from rdiverse.evaluation.items import BenchmarkItem, Kind
from rdiverse.evaluation.rzero import RZeroScorer, chosen_letter, extracted_answer
from rdiverse.evaluation.wording import same_wording
from rdiverse.grading.pool import GradingPool
from rdiverse.grading.workers import WorkerPool
from rdiverse.selfplay.parsing import last_boxed

OPTIONS = ("Paris", "London", "a capital", "$5$ dollars")


def response(text: str) -> Response:
    return Response(last_boxed(text), text, "stop", 10)


@pytest.fixture(scope="module")
def scorers():
    with GradingPool() as pool, WorkerPool(timeout=5) as workers:
        yield strict(pool), RZeroScorer(workers)


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("B", "B"),
        ("b", "B"),
        ("(B)", "B"),
        (" B. ", "B"),
        (r"\text{B}", "B"),
        (r"$\textbf{(B)}$", "B"),
        ("B. London", "B"),
        ("(B) london.", "B"),
        ("London", "B"),
        ("A capital", "C"),
        ("5 dollars", None),
        (r"\$5\$ dollars", None),
        ("$5$ dollars", "D"),
        ("B. Paris", None),
        ("A or B", None),
        ("A, B", None),
        ("E", None),
        ("Because", None),
        ("None of these", None),
        ("", None),
    ],
)
def test_a_choice_is_read_or_it_is_wrong(answer, letter):
    assert read_choice(answer, OPTIONS) == letter


def test_an_option_that_occurs_twice_names_no_letter():
    assert read_choice("same", ("same", "other", "Same.")) is None


def test_options_are_asked_with_their_letters():
    assert with_options("Which?", ("x", "y")).split("\n") == [
        "Which?",
        "",
        "A. x",
        "B. y",
        "",
        "Answer with the letter of the one right option.",
    ]


@pytest.mark.parametrize(
    ("gold", "answer", "same"),
    [
        ("unknown", "Unknown.", True),
        ("(C)", "C", True),
        ("c", "(C)", True),
        ("7", "7.0", True),
        ("plane, car, ship", "plane,car, ship", True),
        ("[1, 2]", "1,2", True),
        ("Yes", r"\text{yes}", True),
        ("yes", "no", False),
        ("7", "17", False),
        ("the cat", "cat", False),
        ("nan", "inf", False),
    ],
)
def test_words_are_equal_when_they_read_the_same(gold, answer, same):
    assert same_wording(gold, answer) is same
    assert same_wording(answer, gold) is same


ROOT = BenchmarkItem("?", r"3\sqrt{13}")
CITY = BenchmarkItem(with_options("Capital of Great Britain?", OPTIONS), "B", kind=Kind.CHOICE, options=OPTIONS)
TABLE = [
    # what it is, item, response, strict, R-Zero
    ("a right answer", BenchmarkItem("?", "7"), r"so \boxed{7}", True, True),
    ("a wrong answer", BenchmarkItem("?", "7"), r"so \boxed{8}", False, False),
    ("an equal form", BenchmarkItem("?", r"\frac{1}{2}"), r"so \boxed{0.5}", True, True),
    ("gold read bare: 3√13 is taken for 3", ROOT, r"so \boxed{3}", False, True),
    (
        "two boxes on a line: both are taken for one answer",
        BenchmarkItem("?", "7"),
        r"\boxed{7}, that is, again, \boxed{7}",
        True,
        None,
    ),
    (
        "a box that was corrected: the first one counts",
        BenchmarkItem("?", "7"),
        "First \\boxed{7}.\nNo: \\boxed{8}",
        False,
        True,
    ),
    ("the first letter wins, whatever it stands in", CITY, r"so \boxed{Because of trade: A}", False, False),
    ("a letter within a word is an answer", CITY, r"so \boxed{Borough}", False, True),
    ("the text of an option is no answer", CITY, r"so \boxed{London}", True, None),
    ("no box, but an announcement", CITY, "The answer is: B\n", False, True),
    ("several letters: the first of the alphabet", CITY, r"so \boxed{B, not D}", False, True),
]


@pytest.mark.parametrize(("item", "text", "strictly", "compat"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_the_same_response_scored_twice(scorers, item, text, strictly, compat):
    ours, r_zero = scorers
    assert ours(item, response(text)) is strictly
    if compat is not None:
        assert r_zero(item, response(text)) is compat


def test_rzero_cuts_answers_with_a_greedy_expression():
    assert extracted_answer(r"\boxed{7}, that is, again, \boxed{7} and {x}") == r"7}, that is, again, \boxed{7} and {x"
    assert extracted_answer("no box") is None


def test_rzero_makes_up_a_letter_where_the_strict_score_counts_a_wrong_answer(scorers):
    texts = [f"I do not know, number {i}." for i in range(200)]
    letters = [chosen_letter(text) for text in texts]
    assert set(letters) == set("ABCDEFGHIJ")
    assert letters == [chosen_letter(text) for text in texts], "a table can be made again"
    ours, r_zero = scorers
    assert not any(ours(CITY, response(text)) for text in texts)
    assert 8 <= sum(r_zero(CITY, response(text)) for text in texts) <= 35


def test_an_unboxed_response_is_wrong(scorers):
    ours, _ = scorers
    assert not ours(BenchmarkItem("?", "None"), response("The answer is 7."))


def test_what_never_ends_is_cut_off_counted_and_not_tried_again():
    hanging = ("$9^{9^{9^9}}+x$", "9**9**9**9")
    with WorkerPool(timeout=1.0) as workers:
        r_zero = RZeroScorer(workers)
        for _ in range(2):
            assert not any(r_zero(BenchmarkItem("?", gold), response(r"\boxed{$3x$}")) for gold in hanging)
            assert workers.timeouts == 2
        assert r_zero(BenchmarkItem("?", "7"), response(r"\boxed{7}")), "it goes on afterwards"


def test_a_process_that_dies_says_no_is_counted_and_replaced():
    before = set(psutil.Process().children())
    with WorkerPool(timeout=5) as workers:
        r_zero = RZeroScorer(workers)
        assert r_zero(BenchmarkItem("?", "7"), response(r"\boxed{7}"))
        [process] = set(psutil.Process().children()) - before
        process.kill()
        process.wait()
        assert not r_zero(BenchmarkItem("?", "8"), response(r"\boxed{8}"))
        assert workers.timeouts == 1
        assert r_zero(BenchmarkItem("?", "9"), response(r"\boxed{9}"))
    assert set(psutil.Process().children()) == before
