r"""What counts as a question, an answer, a program."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdiverse.selfplay.parsing import MAX_CHARACTERS, Proposal, last_boxed, parse_proposal

FRAGMENTS = st.sampled_from(
    [
        "<question>",
        "</question>",
        r"\boxed{",
        r"\boxed",
        "{",
        "}",
        r"\{",
        r"\}",
        "\\",
        " ",
        "\n",
        "7",
        "what is x",
        "\0",
        "問題",
        "<code>",
        "</code>",
    ]
)
NOISE = st.lists(FRAGMENTS | st.text(max_size=5), max_size=40).map("".join)


@pytest.mark.parametrize(
    ("text", "box"),
    [
        (r"so \boxed{7}", "7"),
        (r"\boxed{ 7 }", "7"),
        (r"\boxed {7}", "7"),
        (r"\boxed{1} then \boxed{2}", "2"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{\{1, 2}", r"\{1, 2"),
        (r"\boxed{x = \boxed{5}}", "5"),
        (r"\boxed{5", None),
        (r"\boxed{3} and \boxed{5", "3"),
        (r"{ \boxed{5}", "5"),
        (r"} \boxed{5} }", "5"),
        (r"\boxed{{5}", None),
        (r"\boxed{}", None),
        (r"\boxed{  }", None),
        (r"\boxed{4} \boxed{}", None),
        (r"\\boxed{5}", "5"),
        (r"\boxed 5", None),
        ("5", None),
        ("", None),
        ("\\boxed{a\0b}", None),
        ("\\boxed{\ud800}", None),
        (r"\boxed{四}", "四"),
    ],
)
def test_the_last_balanced_box_is_the_answer(text: str, box: str | None) -> None:
    assert last_boxed(text) == box


def test_an_answer_is_the_whole_box_not_its_last_character() -> None:
    """R-Zero reports the last character of the boxed text."""
    assert last_boxed(r"The answer is \boxed{3\sqrt{13}}.") == r"3\sqrt{13}"


@pytest.mark.parametrize(
    ("text", "question"),
    [
        (r"<question>What is 1+1?</question> \boxed{2}", "What is 1+1?"),
        (r"<question>a</question><question>b</question> \boxed{2}", "b"),
        (r"\boxed{2} <question> b </question>", "b"),
        (r"<question>a <question>b</question> \boxed{2}", "b"),
        (r"<question>a</question> <question>b \boxed{2}", "a"),
        (r"<question>a</question> </question> \boxed{2}", "a"),
        (r"<question>rm -rf / ; $(reboot)</question> \boxed{2}", "rm -rf / ; $(reboot)"),
        (r"<question><script>alert(1)</script></question> \boxed{2}", "<script>alert(1)</script>"),
        (r"<question>一加一?</question> \boxed{2}", "一加一?"),
        (r"<question>two" + "\n" + r"lines</question> \boxed{2}", "two\nlines"),
    ],
)
def test_the_last_closed_question_counts(text: str, question: str) -> None:
    assert parse_proposal(text) == Proposal(question, "2")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no tags at all",
        r"\boxed{2}",
        r"<question>a \boxed{2}",
        r"a</question> \boxed{2}",
        r"</question>a<question> \boxed{2}",
        r"<question></question> \boxed{2}",
        r"<question>  </question> \boxed{2}",
        r"<question>a</question>",
        r"<question>a</question> \boxed{}",
        r"<question>a</question> \boxed{2",
        "<question>a\0b</question> \\boxed{2}",
        "<question>a\ud800</question> \\boxed{2}",
        "<question>" + "a" * (MAX_CHARACTERS + 1) + r"</question> \boxed{2}",
    ],
)
def test_what_lacks_a_question_or_an_answer_is_malformed(text: str) -> None:
    assert parse_proposal(text) is None


def test_a_question_of_ten_thousand_words_is_a_question() -> None:
    question = "word " * 10_000 + "?"
    assert parse_proposal(rf"<question>{question}</question>\boxed{{1}}") == Proposal(question, "1")


@pytest.mark.parametrize(
    "piece", [r"\boxed{", "{", "}", "\\", r"\boxed", "<question>", "</question>", "<code>", "<question>a</question>"]
)
def test_repeated_fragments_cost_linear_time(piece: str) -> None:
    start = time.process_time()
    text = piece * 100_000
    parse_proposal(text)
    last_boxed(text + r"\boxed{1}")
    assert time.process_time() - start < 2


@settings(deadline=None)
@given(NOISE)
def test_any_text_is_parsed_or_malformed(text: str) -> None:
    proposal = parse_proposal(text)
    if proposal is not None:
        assert proposal.question == proposal.question.strip() != ""
        assert proposal.answer == last_boxed(text)
        assert f"{proposal.question}{proposal.answer}".encode()  # can cross a wire


@settings(deadline=None)
@given(NOISE, st.text(alphabet="0123456789+-/^abc ", min_size=1).filter(lambda s: s.strip()))
def test_what_stands_before_the_last_box_does_not_matter(noise: str, answer: str) -> None:
    assert last_boxed(noise.rstrip("\\") + rf" \boxed{{{answer}}}") == answer.strip()
