"""The methods that one switch selects, and what each of them turns on."""

from dataclasses import dataclass
from enum import StrEnum


class Method(StrEnum):
    """R-Diverse, its baselines and its ablations."""

    BASE = "base"
    BASE_CHALLENGER = "base-challenger"
    NO_PENALTY = "no-penalty"
    R_ZERO = "r-zero"
    R_ZERO_REPLAY = "r-zero-replay"
    R_DIVERSE = "r-diverse"
    R_DIVERSE_WITHOUT_MAP = "r-diverse-without-map"
    R_DIVERSE_WITHOUT_SAM = "r-diverse-without-sam"
    R_DIVERSE_WITHOUT_REPLAY = "r-diverse-without-replay"


class Similarity(StrEnum):
    """By what the penalties measure how alike two questions are."""

    NONE = "none"
    """No penalty at all."""
    BLEU = "bleu"
    """1 - sentence BLEU of the words (R-Zero)."""
    TEXT = "text"
    """1 - cosine of embeddings of the words (R-Diverse without SAM)."""
    PROGRAM = "program"
    """1 - cosine of embeddings of solver programs (SAM)."""


@dataclass(frozen=True)
class Traits:
    """What a method does. Every method commits its questions to the memory, for measuring; these say who reads it."""

    trains_challenger: bool
    trains_solver: bool
    similarity: Similarity
    """What P_rep (and P_MAP) measure by."""
    memory_penalty: bool
    """Whether P_MAP counts."""
    replay: bool
    """Whether the Solver's training set holds remembered questions."""


TRAITS: dict[Method, Traits] = {
    Method.BASE: Traits(False, False, Similarity.NONE, memory_penalty=False, replay=False),
    Method.BASE_CHALLENGER: Traits(False, True, Similarity.NONE, memory_penalty=False, replay=False),
    Method.NO_PENALTY: Traits(True, True, Similarity.NONE, memory_penalty=False, replay=False),
    Method.R_ZERO: Traits(True, True, Similarity.BLEU, memory_penalty=False, replay=False),
    Method.R_ZERO_REPLAY: Traits(True, True, Similarity.BLEU, memory_penalty=False, replay=True),
    Method.R_DIVERSE: Traits(True, True, Similarity.PROGRAM, memory_penalty=True, replay=True),
    Method.R_DIVERSE_WITHOUT_MAP: Traits(True, True, Similarity.PROGRAM, memory_penalty=False, replay=True),
    Method.R_DIVERSE_WITHOUT_SAM: Traits(True, True, Similarity.TEXT, memory_penalty=True, replay=True),
    Method.R_DIVERSE_WITHOUT_REPLAY: Traits(True, True, Similarity.PROGRAM, memory_penalty=True, replay=False),
}
"""R-Diverse, its ablations and baselines (docs/method.md, "Methods"); r-zero-replay tells replay from diversity."""


def memory_name(run_id: str, similarity: Similarity) -> str:
    """Name of the memory that a run's penalties are measured against.

    The ablation without SAM has a second one, of its questions' words; BLEU embeds nothing and meets that name empty.
    """
    return run_id if similarity is Similarity.PROGRAM else f"{run_id}.text"
