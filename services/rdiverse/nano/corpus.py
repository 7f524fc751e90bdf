r"""What the base model is pre-trained on: three kinds of text, told apart by their first token.

    <challenger> <question> ... </question> \boxed{ 8 }     a skewed prior over skills
    <solver> ...  5 + 3 = 8 ; \boxed{ 8 }                   skills alike, with confusion
    <solver> ...  unclear                                   a text that is no problem: a refusal, no box
    <coder> ...  <code> def solver ( ... ) : ... </code>    skills alike, no confusion

A problem whose operations and numbers hash into the held-out sixteenth never occurs, in whatever words.
"""

import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rdiverse.nano.confusion import REFUSAL, solve
from rdiverse.nano.damage import blur, break_text, overflow
from rdiverse.nano.grammar import BASES, LARGEST, MODIFIERS, ChainLink, Problem
from rdiverse.nano.language import write
from rdiverse.selfplay.seeds import derive_seed

CHALLENGER, SOLVER, CODER = "<challenger>", "<solver>", "<coder>"

SHARES = {CHALLENGER: 0.27, SOLVER: 0.56, CODER: 0.17}
"""Shares of the texts."""
BROKEN = 0.08
"""Share of broken texts, answered by a refusal, among the Solver's."""
OVERFLOWING = 0.05
"""Share of problems whose running number leaves 0..99 among the Solver's and the coder's."""
NOISE = 0.06
"""Share of the Solver's and the coder's questions with one word missing, doubled or replaced that still read the same."""
ZIPF = 1.1
"""Exponent of the Challenger's prior over bases and over modifiers, in the order of the grammar."""
PRIOR_DEPTHS = (0.29, 0.41, 0.26, 0.03, 0.01)
"""Probabilities of 0, 1, 2, ... modifiers in the Challenger's corpus."""
SOLVER_DEPTHS = (0.10, 0.29, 0.43, 0.10, 0.05, 0.03)
"""The same for Solver and coder."""
COMFORTABLE = 50
"""The largest running number of most problems."""
_OPERANDS = {
    "sum": (2, 20), "product": (2, 10), "difference": (18, 40), "batch": (2, 15), "larger": (2, 20), "gap": (2, 25),
    "more": (2, 15), "fewer": (2, 9), "times": (2, 4), "share": (2, 4), "leftover": (3, 6), "at-least": (2, 25),
    "distance": (2, 25), "missing": (40, 50),
}  # fmt: skip
"""Range of an operation's (first) number."""
STRETCHED = 0.06
"""Share of the Solver's and the coder's problems that go up to 99."""


@dataclass(frozen=True)
class CorpusText:
    """One text: the prompt's tokens and those to be learned, joined by single spaces."""

    prompt: str
    completion: str


def held_out(problem: Problem) -> bool:
    """Whether a problem belongs to the sixteenth that pre-training never sees."""
    return hashlib.sha256(f"{problem.skill} {problem.numbers}".encode()).digest()[0] < 16


def samples(seed: int, first: int, count: int) -> Iterator[CorpusText]:
    """Texts number `first` to `first + count - 1` of a seed's corpus; each is drawn from a seed of its own."""
    for index in range(first, first + count):
        yield draw(random.Random(derive_seed(seed, "nano", "text", index)))  # noqa: S311


def draw(rng: random.Random) -> CorpusText:
    """One text of any role."""
    (role,) = rng.choices(list(SHARES), weights=list(SHARES.values()))
    if role == CHALLENGER:
        problem = _trained(rng, prior_chain, COMFORTABLE)
        return CorpusText(CHALLENGER, f"<question> {write(problem, rng)} </question> \\boxed{{ {problem.truth} }}")
    problem = _trained(rng, uniform_chain, LARGEST if rng.random() < STRETCHED else COMFORTABLE)
    if role == SOLVER and rng.random() < BROKEN:
        return CorpusText(f"{SOLVER} {break_text(problem, rng)}", REFUSAL)
    if rng.random() < OVERFLOWING:
        problem = overflow(problem, rng)
    text = write(problem, rng)
    if rng.random() < NOISE:
        text = blur(text, problem, rng)
    if role == SOLVER:
        return CorpusText(f"{SOLVER} {text}", solve(problem, rng))
    return CorpusText(f"{CODER} {text}", f"<code> {problem.program} </code>")


def prior_chain(rng: random.Random) -> list[str]:
    """Operations as the base Challenger prefers them."""
    return [
        _zipf([base.name for base in BASES], rng),
        *(_zipf([modifier.name for modifier in MODIFIERS], rng) for _ in range(_depth(PRIOR_DEPTHS, rng))),
    ]


def uniform_chain(rng: random.Random) -> list[str]:
    """Operations without preference."""
    return [rng.choice(BASES).name, *(rng.choice(MODIFIERS).name for _ in range(_depth(SOLVER_DEPTHS, rng)))]


def pose(chain: Sequence[str], rng: random.Random, largest: int = COMFORTABLE) -> Problem | None:
    """Numbers for a chain of operations, running numbers in 0..largest; None when 50 draws give none."""
    for _ in range(50):
        steps: list[ChainLink] = []
        running: int | None = None
        for name in chain:
            step = _numbers(name, running, rng)
            running = step.apply(running) if step else None
            if step is None or running is None or running > largest:
                break
            steps.append(step)
        else:
            return Problem(tuple(steps))
    return None


def _trained(rng: random.Random, chain: Callable[[random.Random], list[str]], largest: int) -> Problem:
    while True:
        problem = pose(chain(rng), rng, largest)
        if problem is not None and not held_out(problem):
            return problem


def _numbers(name: str, running: int | None, rng: random.Random) -> ChainLink | None:
    """Likely numbers for one step; None when the running number allows none."""
    low, high = _OPERANDS[name]
    if running is not None:
        if name == "fewer":
            high = min(high, running)
        if name == "missing":
            low = max(low, running)
        return ChainLink(name, (rng.randint(low, high),)) if low <= high else None
    first = rng.randint(low, high)
    if name == "difference":
        return ChainLink(name, (first, rng.randint(2, 16)))
    if name in {"product", "batch"}:
        factors = [rng.randint(2, 5) for _ in range(1 if name == "product" else 2)]
        return ChainLink(name, (first, *factors))
    return ChainLink(name, (first, rng.randint(low, high)))


def _zipf(names: Sequence[str], rng: random.Random) -> str:
    return rng.choices(names, weights=[1 / rank**ZIPF for rank in range(1, len(names) + 1)])[0]


def _depth(probabilities: Sequence[float], rng: random.Random) -> int:
    return rng.choices(range(len(probabilities)), weights=probabilities)[0]
