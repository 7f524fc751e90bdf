"""From problems to text and back.

The reader's tolerance is part of what the world measures, so it is exact. A text is split after every `.` and `?`. A
sentence reads as an operation when, letter case aside, it is one of that operation's templates with any person, thing
or container in any slot, up to *one* word that is missing, extra or replaced; numbers and the end mark are never
forgiven. What two operations could claim at the same distance is not read. A text is a problem when it is one base
sentence, then modifiers, then exactly one question, at most 16 sentences in all. Anything else is ill-posed.
"""

import random
import re
from functools import lru_cache
from typing import NamedTuple

from rdiverse.nano.grammar import OPERATIONS, ChainLink, Problem
from rdiverse.nano.wording import NUMBER, QUESTIONS, SLOTS, STATEMENTS

ASK = "ask"
"""What the reader calls a question sentence."""
MAX_SENTENCES = 16
MAX_TOKENS = 512
"""A longer text is not read."""

_NUMERAL = re.compile(r"0|[1-9][0-9]?", re.ASCII)
_SLOT = "_"
_FILLERS = frozenset(word.lower() for fillers in SLOTS.values() for word in fillers)


class _Template(NamedTuple):
    kind: str
    tokens: tuple[str, ...]
    """Lower case, `#` for a number, `_` for a slot."""


def _templates() -> tuple[_Template, ...]:
    found = []
    for kind, texts in (*STATEMENTS.items(), (ASK, QUESTIONS)):
        for text in texts:
            tokens = tuple(_SLOT if token in SLOTS else token.lower() for token in text.split())
            found.append(_Template(kind, tokens))
    return tuple(found)


_TEMPLATES = _templates()


def write(problem: Problem, rng: random.Random) -> str:
    """Put a problem into words: tokens joined by single spaces. One person and one thing run through the text."""
    person, other = rng.sample(SLOTS["p"], 2)
    fillers = {"p": person, "q": other, "o": rng.choice(SLOTS["o"]), "w": rng.choice(SLOTS["w"])}
    sentences = [_fill(rng.choice(STATEMENTS[step.operation]), fillers, step.numbers) for step in problem.steps]
    return " ".join([*sentences, _fill(rng.choice(QUESTIONS), fillers, ())])


def read(text: str) -> Problem | None:
    """The problem that a text states, by the tolerance above; None when it states none."""
    tokens = text.split()
    if len(tokens) > MAX_TOKENS:
        return None
    steps: list[ChainLink] = []
    start = 0
    asked = False
    for end, token in enumerate(tokens):
        if token not in {".", "?"}:
            continue
        sentence = read_sentence(tuple(tokens[start : end + 1]))
        if sentence is None or asked or len(steps) >= MAX_SENTENCES:
            return None
        kind, numbers = sentence
        asked = kind == ASK
        if not asked:
            steps.append(ChainLink(kind, numbers))
        start = end + 1
    if not asked or start != len(tokens):
        return None
    try:
        return Problem(tuple(steps))
    except ValueError:
        return None


@lru_cache(maxsize=65_536)
def read_sentence(tokens: tuple[str, ...]) -> tuple[str, tuple[int, ...]] | None:
    """The operation (or `ask`) and the numbers of one sentence; None when it is none or more than one."""
    numbers = tuple(int(token) for token in tokens if _NUMERAL.fullmatch(token))
    shape = tuple(NUMBER if _NUMERAL.fullmatch(token) else token.lower() for token in tokens)
    for edits in (0, 1):
        kinds = {template.kind for template in _TEMPLATES if _within(shape, template.tokens, edits)}
        if kinds:
            kind = kinds.pop()
            fits = not kinds and len(numbers) == (OPERATIONS[kind].given if kind != ASK else 0)
            return (kind, numbers) if fits else None
    return None


def _within(shape: tuple[str, ...], template: tuple[str, ...], edits: int) -> bool:
    """Whether a sentence is a template up to `edits` (0 or 1) words that are missing, extra or replaced."""
    longer = len(shape) - len(template)
    if abs(longer) > edits or shape[-1] != template[-1]:
        return False
    if edits == 0:
        return all(map(_fits, shape, template))
    ahead = _agreeing(shape, template)
    behind = _agreeing(shape[::-1], template[::-1])
    # Split points: what stands before agrees from the front, what stands after it agrees from the back.
    if longer == 1:
        return any(shape[at] != NUMBER for at in range(max(0, len(template) - behind), min(ahead, len(template)) + 1))
    if longer == -1:
        return any(template[at] != NUMBER for at in range(max(0, len(shape) - behind), min(ahead, len(shape)) + 1))
    return ahead + behind == len(shape) - 1 and NUMBER not in {shape[ahead], template[ahead]}


def _agreeing(shape: tuple[str, ...], template: tuple[str, ...]) -> int:
    count = 0
    for word, place in zip(shape, template, strict=False):
        if not _fits(word, place):
            break
        count += 1
    return count


def _fits(word: str, place: str) -> bool:
    return word in _FILLERS if place == _SLOT else word == place


def _fill(template: str, fillers: dict[str, str], numbers: tuple[int, ...]) -> str:
    rest = iter(numbers)
    return " ".join(str(next(rest)) if token == NUMBER else fillers.get(token, token) for token in template.split())
