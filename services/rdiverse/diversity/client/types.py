"""What goes into and comes out of the client's calls."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Distance = Literal["cosine", "bleu"]
Representation = Literal["program", "text"]
Origin = Literal["", "question", "program", "vector"]


@dataclass(frozen=True)
class Item:
    """A question, with what is known of it."""

    question: str
    program: str = ""
    """Its solver program; replaces the coder."""
    vector: NDArray[np.float32] | Sequence[float] | None = None
    """Its embedding (dimension,), of any length but zero; replaces coder and encoder."""
    answer: str = ""
    """Its pseudo-label. For commit."""
    share: float = 0.0
    """Its self-consistency, 0 to 1. For commit."""


@dataclass(frozen=True)
class MemoryItem:
    """A remembered item."""

    question: str
    program: str
    answer: str
    share: float
    iteration: int
    index: int


@dataclass(frozen=True)
class Neighbor:
    """A remembered item and its cosine, -1 to 1."""

    item: MemoryItem
    similarity: float


@dataclass(frozen=True)
class Neighbors:
    """The nearest remembered items, nearest first."""

    neighbors: list[Neighbor]
    origin: Origin
    """Where the question's embedding came from."""
    program: str


@dataclass(frozen=True)
class Score:
    """The penalties of one item; ranges as in the service's proto."""

    p_rep: float
    cluster: int
    """-1 when SAM failed."""
    s_max: float
    s_mean: float
    p_map: float
    origin: Origin
    failure: str
    """Why SAM has no program; empty when it has one."""
    program: str
    vector: NDArray[np.float32] | None
    """Unit vector (dimension,), when asked for and there is one."""
    nearest: Neighbor | None


@dataclass(frozen=True)
class BatchScore:
    """The penalties of a batch; iterates over its items, in their order."""

    scores: list[Score]
    batch_size: int
    clusters: int
    memory_items: int
    revision: str
    embedding_version: str

    def __iter__(self) -> Iterator[Score]:
        return iter(self.scores)

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, index: int) -> Score:
        return self.scores[index]


@dataclass(frozen=True)
class Committed:
    """An acknowledged commit."""

    revision: str
    items: int
    already_committed: bool


@dataclass(frozen=True)
class Replay:
    """Drawn items; iterates over them, in the order of the draw."""

    items: list[MemoryItem]
    revision: str

    def __iter__(self) -> Iterator[MemoryItem]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True)
class IterationStats:
    """One committed iteration."""

    iteration: int
    items: int
    digest: str


@dataclass(frozen=True)
class Stats:
    """A run's memory."""

    run: str
    iterations: list[IterationStats]
    dimension: int
    representation: Representation
    revision: str


@dataclass(frozen=True)
class Run:
    """One run of many."""

    run: str
    last_iteration: int
    items: int
