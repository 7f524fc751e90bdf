"""A text embedding without weights: the words of a question and their pairs, hashed. For the ablation without SAM."""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rdiverse.diversity.sam.hashing import hashed

_WORD = re.compile(r"\w+|[^\w\s]")
_VERSION = 1


class TextEncoder:
    """Questions to unit vectors, in process."""

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self.version = f"words-{_VERSION}-{dimension}"

    def encode(self, questions: Sequence[str]) -> list[NDArray[np.float32]]:
        """One unit vector of shape (dimension,) a question."""
        return [hashed(_features(question), self.dimension) for question in questions]


def _features(question: str) -> Counter[str]:
    words = _WORD.findall(question.lower())
    if not words:
        return Counter([question])
    return Counter([*words, *(f"{first} {second}" for first, second in pairwise(words))])
