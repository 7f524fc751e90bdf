"""The majority vote that makes a pseudo-label."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import combinations
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


def vote(answers: Sequence[str | None], equal: Callable[[str, str], bool], drop_unboxed: bool = False) -> Vote:
    """Count the answers of m samples of one question; None is a sample without a boxed answer and votes for nothing.

    Answers form classes: the transitive closure of `equal`, which is taken to be symmetric and asked once for a pair of
    different spellings. The largest class wins; a tie goes to the class whose spelling has the smallest SHA-256, so that
    neither the order of the samples nor the size of a number decides.

    `drop_unboxed` takes the share over the boxed samples only, as R-Zero does when it labels; its Challenger's reward
    takes it over all (docs/method.md, "Voting and answers"). In R-Zero an unboxed sample votes as the string "None".
    """
    spellings = Counter(answer for answer in answers if answer is not None)
    boxed = spellings.total()
    if not boxed:
        return Vote(None, 0.0, 0, 0, (False,) * len(answers))
    winner = min(
        _classes(spellings, equal), key=lambda members: (-sum(spellings[m] for m in members), _digest(members, spellings))
    )
    votes = sum(spellings[member] for member in winner)
    share = votes / (boxed if drop_unboxed else len(answers))
    agrees = tuple(answer in winner for answer in answers)
    return Vote(_spelling(winner, spellings), share, votes, boxed, agrees)


def _classes(spellings: Counter[str], equal: Callable[[str, str], bool]) -> list[set[str]]:
    """Partition the spellings into the connected components of `equal`."""
    class_of = {spelling: {spelling} for spelling in spellings}
    # Sorted, so that a vote asks the same pairs whatever the order of its samples.
    for a, b in combinations(sorted(spellings), 2):
        if class_of[a] is not class_of[b] and equal(a, b):
            class_of[a] |= class_of[b]
            for member in class_of[b]:
                class_of[member] = class_of[a]
    return list({id(members): members for members in class_of.values()}.values())


def _spelling(members: set[str], spellings: Counter[str]) -> str:
    return min(members, key=lambda member: (-spellings[member], len(member), member))


def _digest(members: set[str], spellings: Counter[str]) -> bytes:
    return hashlib.sha256(_spelling(members, spellings).encode(errors="surrogatepass")).digest()
