"""What every memory can do. Blocking calls, to be made from worker threads; any number of threads may read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rdiverse.diversity.memory.ledger import IterationBatch, Ledger, Record


class MemoryUnavailableError(RuntimeError):
    """The store does not answer, or answers with a fault of its own. Nothing is known to have been written."""


class NotTheWriterError(RuntimeError):
    """Another process has become the writer of this store."""


@dataclass(frozen=True)
class Key:
    """Names one remembered item of a ledger."""

    iteration: int
    index: int


@dataclass(frozen=True)
class Nearest:
    """The nearest remembered items of each query, nearest first."""

    similarities: NDArray[np.float64]
    """Cosines in [-1, 1], (queries, k)."""
    keys: list[list[Key]]


@dataclass(frozen=True)
class MemorySimilarities:
    """What the memory says about the embedded items of a batch, in their order."""

    nearest: Nearest
    total: NDArray[np.float64]
    """Sum of the remembered vectors, (dimension,)."""
    count: int


class Memory(Protocol):
    """The remembered items of all runs.

    Reads take the ledger that the caller has read, so that all reads of one call see one state. `seconds` bounds a call;
    past it MemoryUnavailableError is raised.
    """

    def ping(self, seconds: float) -> None:
        """Raise MemoryUnavailableError unless the store answers."""

    def ledgers(self, seconds: float) -> list[Ledger]:
        """The ledgers of all runs that have a memory, ordered by name."""

    def ledger(self, run: str, seconds: float) -> Ledger | None:
        """The present ledger of a run, None when there never was one. May be one that says deleted."""

    def nearest(self, ledger: Ledger, before: int, queries: NDArray[np.float32], k: int, seconds: float) -> Nearest:
        """The k (or all, if fewer) items of iterations < `before` nearest to unit vectors (queries, dimension), exactly."""

    def total(self, ledger: Ledger, before: int, seconds: float) -> tuple[NDArray[np.float64], int]:
        """Sum (dimension,) and number of the unit vectors of iterations < `before`."""

    def records(self, ledger: Ledger, keys: Sequence[Key], seconds: float) -> list[Record]:
        """What is remembered of these items, in their order."""

    def commit(self, run: str, batch: IterationBatch, seconds: float) -> tuple[Ledger, bool]:
        """Add an iteration, all or nothing. Gives the ledger and whether it had been committed before.

        Raises what `ledger.committed` and `ledger.check_compatible` raise.
        """

    def rollback(self, run: str, to_iteration: int, seconds: float) -> tuple[Ledger, list[int]]:
        """Drop iterations after `to_iteration`. Gives the ledger and what was dropped. Raises UnknownRunError."""

    def delete(self, run: str, seconds: float) -> int:
        """Drop a run. Gives the number of items dropped. Raises UnknownRunError."""
