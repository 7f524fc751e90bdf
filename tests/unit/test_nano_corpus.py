"""What the nano model is pre-trained on, and the tokens that it is written in."""

import json
import random
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdiverse.nano.batches import BATCH, batches, corpus_digest
from rdiverse.nano.benchmark import BENCHMARK, benchmark_text, read_benchmark
from rdiverse.nano.confusion import METHODS, MODIFIER_RANGE, REFUSAL, confusion, solve
from rdiverse.nano.corpus import CHALLENGER, CODER, SOLVER, CorpusText, held_out, pose, samples, uniform_chain
from rdiverse.nano.damage import blur, break_text, overflow
from rdiverse.nano.grammar import BASES, MODIFIERS, OPERATIONS, Problem, all_skills
from rdiverse.nano.language import read, write
from rdiverse.nano.oracle import oracle
from rdiverse.nano.tokenizer import build_tokenizer, vocabulary
from rdiverse.selfplay.extraction import find_program
from rdiverse.selfplay.parsing import last_boxed, parse_proposal


@pytest.fixture(scope="module")
def corpus() -> list[CorpusText]:
    return list(samples(seed=3, first=0, count=3000))


def posed(seed: int) -> Problem:
    rng = random.Random(seed)
    while (problem := pose(uniform_chain(rng), rng)) is None:
        pass
    return problem


def test_every_text_is_one_that_the_loop_can_read(corpus: list[CorpusText]) -> None:
    for text in corpus:
        role, _, question = text.prompt.partition(" ")
        problem = read(question)
        if role == CHALLENGER:
            proposal = parse_proposal(text.completion)
            assert proposal is not None
            assert oracle.truth(proposal.question) == proposal.answer
        elif role == CODER:
            assert problem is not None
            assert find_program(text.completion).text == problem.program
        elif problem is None:
            assert text.completion == REFUSAL
        else:
            assert (last_boxed(text.completion) is None) == text.completion.endswith(REFUSAL) != text.completion.endswith("}")


def test_no_text_states_a_held_out_problem(corpus: list[CorpusText]) -> None:
    for text in corpus:
        proposal = parse_proposal(text.completion)
        problem = read(proposal.question if proposal else text.prompt.split(" ", 1)[1])
        assert problem is None or problem.truth is None or not held_out(problem)


def test_the_challenger_prefers_some_skills_and_the_solver_none(corpus: list[CorpusText]) -> None:
    def first_operations(role: str) -> Counter[str]:
        problems = [
            read(parse_proposal(text.completion).question if role == CHALLENGER else text.prompt.split(" ", 1)[1])  # type: ignore[union-attr]
            for text in corpus
            if text.prompt.split()[0] == role and text.completion != REFUSAL
        ]
        return Counter(problem.steps[0].operation for problem in problems if problem)

    skewed, even = first_operations(CHALLENGER), first_operations(SOLVER)
    assert len(even) == len(skewed) == len(BASES)
    assert skewed["sum"] > 4 * skewed["gap"]
    assert max(even.values()) < 1.5 * min(even.values())


def test_lines_of_a_right_solution_are_true_and_end_in_the_truth() -> None:
    signs = {"max": max, "min": min, "gap": lambda a, b: abs(a - b)}
    for seed in range(300):
        problem = posed(seed)
        text = solve(problem, None)
        assert last_boxed(text) == str(problem.truth)
        for left, sign, right, result in re.findall(r"(\d+) (\S+) (\d+) = (\d+) ;", text):
            expected = signs[sign](int(left), int(right)) if sign in signs else eval(f"{left} {sign} {right}")
            assert expected == int(result)


def test_confusion_makes_answers_split_but_the_truth_the_most_frequent_one() -> None:
    rng = random.Random(0)
    shares, right = [], 0
    for seed in range(200):
        problem = posed(seed)
        answers = Counter(last_boxed(solve(problem, rng)) for _ in range(60))
        shares.append(answers[str(problem.truth)] / 60)
        right += answers.most_common(1)[0][0] == str(problem.truth)
    assert 0.5 < sum(shares) / 200 < 0.75
    assert min(shares) < 0.4
    assert max(shares) > 0.85
    assert right / 200 > 0.85


def test_confusion_is_fixed_and_its_methods_are_known() -> None:
    assert set(METHODS) == set(OPERATIONS)
    for operation in MODIFIERS:
        rates = [confusion(previous, operation.name) for previous in OPERATIONS]
        assert MODIFIER_RANGE[0] <= min(rates) < max(rates) <= MODIFIER_RANGE[1]
    assert confusion("sum", "times") != confusion("product", "times")


def test_a_line_beyond_0_to_99_ends_a_solution_without_an_answer() -> None:
    problem = read("Ana had 5 pears and lost 7 . Then Ana adds 9 . What is the result ?")
    assert problem is not None
    assert solve(problem, None) == "5 - 7 unclear"


@given(st.integers(0, 2**32))
def test_a_blurred_text_reads_the_same_and_a_broken_one_states_nothing(seed: int) -> None:
    problem, rng = posed(seed), random.Random(seed)
    text = write(problem, rng)
    assert read(blur(text, problem, rng)) == problem
    assert read(break_text(problem, rng)) is None
    assert overflow(problem, rng).truth is None


def test_texts_depend_on_the_seed_and_their_number_alone() -> None:
    assert list(samples(1, 10, 5)) == list(samples(1, 0, 20))[10:15]
    assert list(samples(1, 0, 5)) != list(samples(2, 0, 5))
    assert corpus_digest(1, 3) == corpus_digest(1, 3) != corpus_digest(2, 3)


def test_batches_cover_only_what_comes_after_the_prompt() -> None:
    tokenizer = build_tokenizer()
    for tokens, learned in batches(seed=0, count=3):
        assert tokens.shape == learned.shape
        assert len(tokens) == BATCH
        for row, mask in zip(tokens, learned, strict=True):
            prompt = tokenizer.decode(row[: int(mask.int().argmax())]).split()
            completion = tokenizer.decode(row[mask]).split()
            assert prompt[0] in {CHALLENGER, SOLVER, CODER}
            assert completion[-1] == "<eos>"
            assert (len(prompt) == 1) == (prompt[0] == CHALLENGER)


def test_the_tokenizer_gives_back_every_text(corpus: list[CorpusText]) -> None:
    tokenizer = build_tokenizer()
    unknown = tokenizer.unk_token_id
    for text in corpus[:500]:
        for part in (text.prompt, text.completion):
            ids = tokenizer(part)["input_ids"]
            assert len(ids) == len(part.split())
            assert unknown not in ids or "<unk>" in part
            assert tokenizer.decode(ids) == part


def test_special_tokens_vanish_from_decoded_text_and_unknown_words_are_one_token() -> None:
    tokenizer = build_tokenizer()
    assert len(tokenizer) == len(vocabulary()) == len(set(vocabulary()))
    ids = tokenizer("5 pears <eos> <pad> \\boxed{ 7 } <question> </question> <code> </code>")["input_ids"]
    assert tokenizer.decode(ids, skip_special_tokens=True) == "5 pears \\boxed{ 7 } <question> </question> <code> </code>"
    assert tokenizer("<solver>\nAna zzz \x00 100")["input_ids"][2:] == [tokenizer.unk_token_id] * 3


def test_the_benchmark_is_one_held_out_question_of_every_skill_and_the_shipped_file() -> None:
    rows = read_benchmark()
    assert BENCHMARK.read_text() == benchmark_text()
    assert [row.skill for row in rows] == all_skills()
    for row in rows:
        problem = read(row.question)
        assert problem is not None
        assert held_out(problem)
        assert (str(problem.truth), problem.skill) == (row.answer, row.skill)
    assert set(json.loads(BENCHMARK.read_text().splitlines()[0])) == {"question", "answer", "skill"}
