"""The two services that the Challenger's reward needs, behind one small interface."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from rdiverse.selfplay.methods import Similarity


class Repetition(NamedTuple):
    """How much a question repeats."""

    p_rep: float
    """Within the step's questions, 0 to 1."""
    p_map: float
    """Against the memory of earlier iterations."""
    failed: bool
    """No program could be made of it: it carries the largest penalties."""


class Services(Protocol):
    """Answers for one step's questions, in their order. Either raises rather than answer for some only."""

    def shares(self, step: int, questions: Sequence[str]) -> list[float]:
        """The Solver's self-consistency of each question, 0 to 1."""

    def repetitions(self, questions: Sequence[str], similarity: Similarity) -> list[Repetition]:
        """The penalties of each question, all of them being one batch."""
