"""The nano world's problems: what they mean, how they are written down, and what the reader forgives."""

import ast
import random
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdiverse.nano.corpus import pose
from rdiverse.nano.grammar import BASES, MODIFIERS, OPERATIONS, ChainLink, Problem, all_skills
from rdiverse.nano.language import _TEMPLATES, read, read_sentence, write
from rdiverse.nano.oracle import oracle

number = st.integers(0, 99)


@st.composite
def problems(draw: st.DrawFn, depth: int = 8) -> Problem:
    base = draw(st.sampled_from(BASES))
    chain = draw(st.lists(st.sampled_from(MODIFIERS), max_size=depth))
    return Problem(tuple(ChainLink(op.name, tuple(draw(number) for _ in range(op.given))) for op in (base, *chain)))


BY_HAND = {
    "Ana has 5 pears and Ben has 7 .": ("12", "sum"),
    "Ana has 0 pears and Ben has 0 .": ("0", "sum"),
    "Ana has 49 pears and Ben has 50 .": ("99", "sum"),
    "Ana fills 6 boxes with 4 nuts each . Then Ana takes 9 away .": ("15", "product.fewer"),
    "Of 30 cards in the shop 12 were sold . Only one out of every 4 stays .": ("4", "difference.share"),
    "Kim owns 3 eggs and buys 4 tins of 5 . Teams of 6 leave and those without a team remain .": ("5", "batch.leftover"),
    "Leo scores 8 , Mia scores 21 , and the better score stays . There is room for 30 and the empty places are counted .": (
        "9",
        "larger.missing",
    ),
    "The keys numbered 4 and 19 lie this far apart . Compared with 20 keys we keep the difference .": ("5", "gap.distance"),
    "Dan lays 3 rows of 4 pens . If that is less than 20 , Dan refills to that number . Each of them turns into 3 . "
    "Later 5 more pens arrive .": ("65", "product.at-least.times.more"),
}


@pytest.mark.parametrize("statements", BY_HAND)
def test_truth_and_skill_are_those_computed_by_hand(statements: str) -> None:
    question, (answer, skill) = f"{statements} What is the result ?", BY_HAND[statements]
    assert oracle.truth(question) == answer
    assert oracle.skill(question) == skill
    assert oracle.well_posed(question)


ILL_POSED = {
    "nothing": "",
    "no base": "Then Ana adds 3 . What is the result ?",
    "two bases": "Ana has 5 pears and Ben has 7 . Ana lays 3 rows of 4 pens . What is the result ?",
    "no question": "Ana has 5 pears and Ben has 7 .",
    "two questions": "Ana has 5 pears and Ben has 7 . What is the result ? What is the result ?",
    "question first": "What is the result ? Ana has 5 pears and Ben has 7 .",
    "unfinished": "Ana has 5 pears and Ben has 7 . What is the result ? Then",
    "less than nothing": "Ana had 5 pears and lost 7 . What is the result ?",
    "nothing left on the way": "Ana had 5 pears and lost 4 . Later 2 of them break . Then Ana adds 9 . What is the result ?",
    "beyond 99": "Ana has 50 pears and Ben has 50 . What is the result ?",
    "shared by nobody": "Ana has 5 pears and Ben has 7 . Only one out of every 0 stays . What is the result ?",
    "a number too few": "Ana has 5 pears and Ben has . What is the result ?",
    "a number too many": "Ana has 5 5 pears and Ben has 7 . What is the result ?",
    "100 is no number": "Ana has 5 pears and Ben has 100 . What is the result ?",
    "05 is no number": "Ana has 05 pears and Ben has 7 . What is the result ?",
    "foreign digits": "Ana has ५ pears and Ben has 7 . What is the result ?",
    "two words wrong": "Ana hat 5 pears and Ben hat 7 . What is the result ?",
    "wrong end mark": "Ana has 5 pears and Ben has 7 ? What is the result ?",
}


@pytest.mark.parametrize("question", ILL_POSED.values(), ids=ILL_POSED.keys())
def test_what_has_no_computable_meaning_is_ill_posed(question: str) -> None:
    assert oracle.truth(question) is None
    assert oracle.skill(question) is None
    assert not oracle.well_posed(question)


@pytest.mark.parametrize(
    "question",
    [
        "ana has 5 PEARS and ben has 7 . what is the result ?",
        "Ana has 5 boxes and pears has 7 . What is the result ?",
        "Ana got 5 pears and Ben has 7 . What is the result ?",
        "Ana has 5 pears Ben has 7 . What is the result ?",
        "Ana has 5 pears and so Ben has 7 . What is the the result ?",
        "  Ana has\n5 pears and Ben has 7 .\tWhat is result ? ",
    ],
)
def test_the_reader_forgives_case_fillers_spaces_and_one_word_a_sentence(question: str) -> None:
    assert oracle.truth(question) == "12"


@pytest.mark.parametrize(
    "text",
    [
        "\x00",
        "Ana has 5 pears\x00 and Ben has 7 . What is\x00 the\x00 result ?",
        "<script>alert(1)</script> <img src=x onerror=alert(1)>",
        "$(rm -rf /) ; `id` ; DROP TABLE runs",
        "\ud800 \uffff 日本語の問題 . ?",
        "? . ? . ? .",
        ".",
        "Ana has 5 pears and Ben has 7 . " + "Then Ana adds 1 . " * 20 + "What is the result ?",
        "word " * 10_000,
        "Ana has 5 pears and Ben has 7 . " * 1_250,
        "1" * 100_000,
    ],
)
def test_garbage_is_ill_posed_and_never_an_error(text: str) -> None:
    assert (oracle.truth(text), oracle.skill(text), oracle.well_posed(text)) == (None, None, False)


@given(st.text())
def test_any_text_gets_an_answer(text: str) -> None:
    assert oracle.well_posed(text) == (oracle.truth(text) is not None) == (oracle.skill(text) is not None)


@settings(deadline=None)
@given(problems(), st.integers(0, 2**32))
def test_what_is_written_reads_back(problem: Problem, seed: int) -> None:
    assert read(write(problem, random.Random(seed))) == problem


@settings(deadline=None)
@given(problems(), st.integers(0, 2**32), st.data())
def test_one_foreign_word_a_sentence_changes_nothing(problem: Problem, seed: int, data: st.DataObject) -> None:
    tokens = write(problem, random.Random(seed)).split()
    places = [at for at, token in enumerate(tokens) if not token.isdigit() and token not in {".", "?"}]
    tokens[data.draw(st.sampled_from(places))] = "zzz"
    assert read(" ".join(tokens)) == problem


@settings(deadline=None)
@given(problems())
def test_the_program_computes_the_truth(problem: Problem) -> None:
    tree = ast.parse(problem.program)
    assert [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)] == ["solver"]
    if problem.truth is not None:
        space: dict[str, object] = {}
        exec(problem.program, space)  # the test's own program, not a model's
        assert space["solver"]() == problem.truth  # type: ignore[operator]


@settings(deadline=None)
@given(problems())
def test_a_truth_is_in_0_to_99_and_so_is_every_number_on_the_way(problem: Problem) -> None:
    assert all(0 <= value <= 99 for value in problem.values)
    assert (problem.truth is None) == (len(problem.values) < len(problem.steps))


def test_no_sentence_belongs_to_two_operations() -> None:
    filled = {
        template: tuple("5" if t == "#" else "nuts" if t == "_" else t for t in template.tokens) for template in _TEMPLATES
    }
    for template, tokens in filled.items():
        found = read_sentence(tokens)
        assert found is not None
        assert found[0] == template.kind
    for a, b in combinations(_TEMPLATES, 2):
        if a.kind != b.kind:
            assert _edits(a.tokens, b.tokens) >= 2, (a, b)


def test_skills_are_the_chains_of_at_most_two_modifiers() -> None:
    skills = all_skills()
    assert len(skills) == len(set(skills)) == 6 * (1 + 8 + 64)
    assert list(oracle.skills()) == skills
    for skill in skills:
        posed = next(found for seed in range(50) if (found := pose(skill.split("."), random.Random(seed))))
        assert posed.skill == skill


def test_a_problem_starts_with_its_only_base() -> None:
    more, total = ChainLink("more", (1,)), ChainLink("sum", (1, 2))
    for steps in ((), (more,), (total, total), (more, total)):
        with pytest.raises(ValueError, match="base step"):
            Problem(steps)
    assert set(OPERATIONS) == {operation.name for operation in (*BASES, *MODIFIERS)}


def _edits(a: tuple[str, ...], b: tuple[str, ...]) -> int:
    """Levenshtein distance of two templates; a slot can take any other slot's word."""
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, right in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (left != right))
    return row[-1]
