"""A usable function is found however a coder wrapped it, and nothing else is taken for one."""

import ast
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.coder_styles import STYLES, usable_program
from tests.support.testdata import data

from rdiverse.selfplay.echoes import check_echo, is_near_echo
from rdiverse.selfplay.extraction import find_program
from rdiverse.selfplay.programs import ProgramError, ProgramFault, parse_program
from rdiverse.selfplay.prompts import CODER, PromptTemplate

GOOD = "def solver(n1=3, n2=4):\n    return n1 + n2"
EXAMPLE = "def solver(n1=40, n2=3, n3=5):\n    return n1 - n2 * n3"
BAKER = "A baker has 40 eggs and uses 3 in each of 5 cakes. How many are left?"


def tagged(program: str) -> str:
    return f"<code>\n{program}\n</code>"


@pytest.mark.parametrize("style", STYLES)
def test_no_usable_program_is_lost(style):
    source = random.Random(style)
    for _ in range(60):
        program = usable_program(source)
        if style == "indented as a list's item" and '"""' in program:
            continue  # moved to the right, its text is another one
        found = find_program(STYLES[style](program, source))
        expected = ast.parse(program.replace("    ", "\t") if style == "tabs" else program).body[0]
        assert ast.dump(found.function.args) == ast.dump(expected.args)
        assert ast.dump(ast.Module(found.function.body, [])) == ast.dump(ast.Module(expected.body, []))
        assert parse_program(found.text).name == found.function.name, "what is kept is a program again"


@pytest.mark.parametrize(
    ("program", "kept"),
    [
        (f"import math\n{GOOD}", f"import math\n{GOOD}"),
        (f"{GOOD}\n\nprint(solver())", GOOD),
        (f"UNUSED = 3\n{GOOD}", GOOD),
        (f"def other(n=1):\n    return n\n\n{GOOD}", GOOD),
        (
            "def one(k):\n    return k + STEP\n\nSTEP = 1\n\ndef solver(n1=3):\n    return one(n1)\n\nsolver()",
            "def one(k):\n    return k + STEP\nSTEP = 1\ndef solver(n1=3):\n    return one(n1)",
        ),
        ("@cache\ndef solver(n1=3):\n    return n1\nx = 2", "@cache\ndef solver(n1=3):\n    return n1"),
        (f"def solver(n1=1):\n    return n1\n\n{GOOD}", GOOD),
        (f"{GOOD}\n\ndef check(n=1):\n    return n > 0", GOOD),
    ],
    ids=[
        "import",
        "print",
        "unused constant",
        "unused helper",
        "helper of a helper",
        "decorator",
        "two solvers",
        "solver first",
    ],
)
def test_what_belongs_to_the_program_is_kept_with_it_and_nothing_else(program, kept):
    assert find_program(tagged(program)).text == kept


@pytest.mark.parametrize(
    ("completion", "fault"),
    [
        ("", ProgramFault.EMPTY),
        (" \n\t", ProgramFault.EMPTY),
        ("I cannot.", ProgramFault.MISSING),
        ("Answer", ProgramFault.MISSING),
        (tagged("x = 3"), ProgramFault.MISSING),
        (tagged("class A:\n    def solver(self, n1=3):\n        return n1"), ProgramFault.MISSING),
        (tagged("def solver(n1=3:\n    return n1"), ProgramFault.UNPARSEABLE),
        (tagged("def solver(n1=3):\n    x = n1"), ProgramFault.UNUSABLE),
        (tagged("def solver(n1=3):\n    x = n1\n    return None"), ProgramFault.UNUSABLE),
        (tagged("def solver(n1=3):\n    def inner():\n        return n1"), ProgramFault.UNUSABLE),
        (tagged("def solver(n1=3):\n    return 600"), ProgramFault.UNUSABLE),
        (tagged("def solver():\n    return 600"), ProgramFault.UNUSABLE),
        (tagged("def solver(n1=3):\n    return " + "(" * 60 + "n1" + ")" * 60), ProgramFault.TOO_LARGE),
        (tagged("def solver(n1=3):\n    return n1 + " + "1 + " * 9000 + "1"), ProgramFault.TOO_LARGE),
    ],
)
def test_what_is_no_program_says_why(completion, fault):
    with pytest.raises(ProgramError) as refused:
        find_program(completion)
    assert refused.value.fault is fault


@given(
    st.lists(st.sampled_from(["<code>", "</code>", "```", "def solver(n=1):", "\n", "    return n", "@", "(", '"""', "#", "x"]))
)
def test_any_completion_is_read_or_refused(pieces):
    try:
        program = find_program("".join(pieces))
    except ProgramError:
        return
    assert parse_program(program.text)


@given(st.text())
def test_any_text_is_read_or_refused(text):
    try:
        find_program(text)
    except ProgramError:
        return


@pytest.mark.parametrize("piece", ["<code>", "<code ", "```\n", "def f(\n", "@x\n", "x = (\n", "< ", "</", "x\n"])
def test_a_long_completion_costs_no_more_than_its_length(piece):
    with pytest.raises(ProgramError):
        find_program(piece * (60_000 // len(piece)))


def test_the_example_for_another_question_is_an_echo():
    for program in (EXAMPLE, EXAMPLE.replace("n1", "a").replace("solver", "f"), EXAMPLE.replace("n1=40", "n1: int = 40")):
        with pytest.raises(ProgramError, match="repeated its prompt") as refused:
            check_echo(find_program(tagged(program)), CODER, "How many ways are there to place 3 rooks on a 5x5 board?")
        assert refused.value.fault is ProgramFault.ECHO


@pytest.mark.parametrize(
    ("program", "question"),
    [
        (EXAMPLE, BAKER),
        (EXAMPLE.replace("-", "+"), "Another question, of 7 things."),
        (EXAMPLE.replace("40", "41"), "A tank of 41 litres loses 3 an hour for 5 hours."),
        (f'def solver(n1=40):\n    """{BAKER}"""\n    return n1', BAKER),
        (f"# Problem: {BAKER}\n{GOOD}", BAKER),
    ],
)
def test_the_questions_own_numbers_words_and_computations_are_no_echo(program, question):
    check_echo(find_program(tagged(program)), CODER, question)


def test_a_program_that_quotes_the_instructions_is_an_echo():
    line = CODER.system.splitlines()[1]
    with pytest.raises(ProgramError, match="repeated its prompt"):
        check_echo(find_program(tagged(f'def solver(n1=3):\n    """{line}"""\n    return n1')), CODER, "What is 3?")


def test_the_examples_computation_with_other_numbers_is_a_near_echo():
    assert is_near_echo(find_program(tagged(EXAMPLE.replace("40", "90"))), CODER)
    assert not is_near_echo(find_program(tagged(EXAMPLE)), CODER)
    assert not is_near_echo(find_program(tagged(EXAMPLE.replace("*", "+"))), CODER)


def test_every_example_of_a_prompt_is_known():
    template = PromptTemplate("", f"Examples:\n{tagged(GOOD)}\nand\n```python\n{EXAMPLE}\n```\nProblem: {{question}}")
    for program in (GOOD, EXAMPLE):
        with pytest.raises(ProgramError, match="repeated"):
            check_echo(find_program(program), template, "a question without numbers")


def test_realistic_completions():
    wrong = []
    for line in data("cases/programs.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        try:
            check_echo(find_program(row["completion"]), CODER, row["question"])
            usable = True
        except ProgramError:
            usable = False
        if usable != row["program"]:
            wrong.append(row["case"])
    assert wrong == []
