"""What the clients take and give."""

from dataclasses import dataclass, fields
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class SamplingLike(Protocol):
    """How to draw, as in rdiverse.config.SamplingConfig."""

    @property
    def temperature(self) -> float: ...  # noqa: D102
    @property
    def top_p(self) -> float: ...  # noqa: D102
    @property
    def top_k(self) -> int: ...  # noqa: D102
    @property
    def max_tokens(self) -> int: ...  # noqa: D102


@dataclass(frozen=True)
class Proposed:
    """One completion of the Challenger."""

    index: int
    text: str
    question: str | None
    """None: malformed."""
    answer: str | None
    """The Challenger's own answer; None: malformed."""
    finish_reason: str
    """stop or length."""
    completion_tokens: int
    weights: str


@dataclass(frozen=True)
class Sample:
    """One answer of the Solver."""

    answer: str | None
    """As written in the last box; None without one."""
    agrees: bool
    text: str
    finish_reason: str
    completion_tokens: int


@dataclass(frozen=True)
class Solved:
    """The vote on one question."""

    index: int
    """Position of the question in the call."""
    answer: str | None
    """The majority answer in its normal form; None when no sample was boxed."""
    share: float
    votes: int
    boxed: int
    grader_timeouts: int
    samples: tuple[Sample, ...]
    """Empty unless asked for."""
    weights: str


@dataclass(frozen=True)
class Generated:
    """One completion."""

    prompt_index: int
    sample_index: int
    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    logprobs: tuple[float, ...]
    """One for each token drawn; empty unless asked for."""
    weights: str


@dataclass(frozen=True)
class Model:
    """What a server serves."""

    role: str
    engine: str
    weights: str
    ready: bool
    max_model_len: int
    embedding_dimension: int


def copied(kind: type[T], message: Any, **others: Any) -> T:
    """A dataclass of the message's fields of the same names, save those that are given."""
    names = {field.name for field in fields(kind)} - others.keys()  # type: ignore[arg-type]
    return kind(**{name: getattr(message, name) for name in names}, **others)
