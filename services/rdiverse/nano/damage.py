"""Texts that a self-taught writer might come up with: blurred ones that still read, broken ones that do not."""

import random
from collections.abc import Callable
from dataclasses import replace

from rdiverse.nano.grammar import BASES, LARGEST, OPERATIONS, ChainLink, Problem
from rdiverse.nano.language import read, write
from rdiverse.nano.wording import words

_WORDS = [*words(), "<unk>"]


def blur(text: str, problem: Problem, rng: random.Random) -> str:
    """The text with one word missing, doubled or replaced, still read as `problem`; unchanged when 20 draws give none."""
    for _ in range(20):
        blurred = _edited(text, rng)
        if read(blurred) == problem:
            return blurred
    return text


def break_text(problem: Problem, rng: random.Random) -> str:
    """A text that states no problem, made from one that does."""
    while True:
        text = rng.choice(_BREAKS)(write(problem, rng), rng)
        if text and read(text) is None:
            return text


def overflow(problem: Problem, rng: random.Random) -> Problem:
    """The same chain with a number changed or a step more, until the running number leaves 0..99."""
    steps = list(problem.steps)
    while True:
        if rng.random() < 0.3:
            steps.append(rng.choice([ChainLink("times", (rng.randint(2, 5),)), ChainLink("fewer", (rng.randint(2, 40),))]))
        else:
            at = rng.randrange(len(steps))
            numbers = list(steps[at].numbers)
            numbers[rng.randrange(len(numbers))] = rng.randint(2, rng.choice([12, 30, LARGEST]))
            steps[at] = replace(steps[at], numbers=tuple(numbers))
        if (changed := Problem(tuple(steps))).truth is None:
            return changed
        if len(steps) > problem.depth + 3:
            steps = list(problem.steps)


def _sentences(text: str) -> list[str]:
    return [part.strip() for part in text.replace(" .", " .\n").replace(" ?", " ?\n").splitlines()]


def _edited(text: str, rng: random.Random) -> str:
    tokens = text.split()
    at = rng.randrange(len(tokens))
    kind = rng.randrange(4)
    if kind == 0:
        del tokens[at]
    elif kind == 1:
        tokens.insert(at, tokens[at])
    elif kind == 2:
        tokens[at] = rng.choice(_WORDS)
    else:
        other = rng.randrange(len(tokens))
        tokens[at], tokens[other] = tokens[other], tokens[at]
    return " ".join(tokens)


def _several_edits(text: str, rng: random.Random) -> str:
    for _ in range(rng.randint(1, 6)):
        text = _edited(text, rng)
    return text


def _without_end(text: str, rng: random.Random) -> str:
    """Without the base, or without the question."""
    parts = _sentences(text)
    return " ".join(parts[1:] if rng.random() < 0.5 else parts[:-1])


def _second_base(text: str, rng: random.Random) -> str:
    parts = _sentences(text)
    base = rng.choice(BASES)
    numbers = tuple(rng.randint(2, 25) for _ in range(OPERATIONS[base.name].given))
    parts.insert(rng.randint(0, len(parts) - 1), _sentences(write(Problem((ChainLink(base.name, numbers),)), rng))[0])
    return " ".join(parts)


def _shuffled(text: str, rng: random.Random) -> str:
    parts = _sentences(text)
    rng.shuffle(parts)
    return " ".join(parts)


def _question_twice(text: str, rng: random.Random) -> str:
    parts = _sentences(text)
    parts.insert(rng.randint(0, len(parts)), parts[-1])
    return " ".join(parts)


def _cut(text: str, rng: random.Random) -> str:
    tokens = text.split()
    return " ".join(tokens[: rng.randint(1, len(tokens) - 1)])


def _crossed(text: str, rng: random.Random) -> str:
    """Halves of two sentences run together, as a writer does that loses the thread."""
    parts = _sentences(text)
    at = rng.randrange(len(parts))
    head, tail = parts[at].split(), rng.choice(parts).split()
    parts[at] = " ".join(head[: rng.randint(1, len(head))] + tail[rng.randint(0, len(tail) - 1) :])
    return " ".join(parts)


def _babble(text: str, rng: random.Random) -> str:
    tokens = text.split()
    return " ".join(rng.choice([*tokens, rng.choice(_WORDS)]) for _ in tokens)


_BREAKS: tuple[Callable[[str, random.Random], str], ...] = (
    _several_edits, _several_edits, _without_end, _second_base, _shuffled, _question_twice, _cut, _crossed, _babble,
)  # fmt: skip
