"""The majority vote that makes a pseudo-label."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple


class Vote(NamedTuple):
    """The outcome of one question's vote."""

    answer: str | None
    """The majority answer in its most frequent spelling; None when no sample had an answer."""
    share: float
    """Self-consistency s, 0 to 1: votes over samples (or over boxed samples)."""
    votes: int
    """Samples that agree with `answer`."""
    boxed: int
    """Samples that have an answer."""
    agrees: tuple[bool, ...]
    """For each sample, in order, whether it agrees with `answer`."""


def vote(
    answers: Sequence[str | None], classes: Callable[[Iterable[str]], Iterable[set[str]]], drop_unboxed: bool = False
) -> Vote:
    """Count the answers of m samples of one question; None is a sample without a boxed answer and votes for nothing.

    `classes` parts different spellings into sets of equal answers, given them in alphabetical order. The largest class wins; a
    tie goes to the class whose spelling has the smallest SHA-256, so that neither the order of the samples nor the size of a
    number decides.

    `drop_unboxed` takes the share over the boxed samples only, as R-Zero does when it labels; its Challenger's reward
    takes it over all (docs/method.md, "Voting and answers"). In R-Zero an unboxed sample votes as the string "None".
    """
    spellings = Counter(answer for answer in answers if answer is not None)
    boxed = spellings.total()
    if not boxed:
        return Vote(None, 0.0, 0, 0, (False,) * len(answers))
    winner = min(
        classes(sorted(spellings)), key=lambda members: (-sum(spellings[m] for m in members), _digest(members, spellings))
    )
    votes = sum(spellings[member] for member in winner)
    share = votes / (boxed if drop_unboxed else len(answers))
    agrees = tuple(answer in winner for answer in answers)
    return Vote(_spelling(winner, spellings), share, votes, boxed, agrees)


def _spelling(members: set[str], spellings: Counter[str]) -> str:
    return min(members, key=lambda member: (-spellings[member], len(member), member))


def _digest(members: set[str], spellings: Counter[str]) -> bytes:
    return hashlib.sha256(_spelling(members, spellings).encode(errors="surrogatepass")).digest()
