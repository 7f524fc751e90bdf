"""A test set as questions with gold answers."""

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum


class BenchmarkError(ValueError):
    """A test set cannot be read; the text names the file, the row and the field."""


class Kind(StrEnum):
    """How answers of a test set are compared."""

    MATH = "math"
    """Normal forms, then a symbolic check."""
    CHOICE = "choice"
    """The letter of one option."""
    TEXT = "text"
    """The wording, apart from case and punctuation around it."""


@dataclass(frozen=True)
class BenchmarkItem:
    """One question of a test set."""

    question: str
    """What the Solver is asked, options included."""
    answer: str
    """The gold answer as the set has it; of a multiple choice, the letter."""
    skill: str | None = None
    """The skill that it needs, where the set says so."""
    kind: Kind = Kind.MATH
    options: tuple[str, ...] = ()
    """Of a multiple choice, in the order of their letters."""


@dataclass(frozen=True)
class Benchmark:
    """A named test set."""

    name: str
    items: tuple[BenchmarkItem, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of everything that is asked and expected."""
        rows = [[item.question, item.answer, item.kind, item.skill, item.options] for item in self.items]
        return hashlib.sha256(json.dumps([self.name, rows]).encode()).hexdigest()
