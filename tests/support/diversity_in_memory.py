"""A memory in this process, in float64: the oracle that the others are compared with, not a store for anybody's run."""

import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rdiverse.diversity.memory.ledger import (
    Entry,
    IterationBatch,
    Ledger,
    Record,
    UnknownRunError,
    committed,
    with_commit,
    with_deletion,
    with_rollback,
)
from rdiverse.diversity.memory.protocol import Key, Nearest


class InMemory:
    """Everything computed by a full scan, nothing cached."""

    def __init__(self) -> None:
        self._ledgers: dict[str, Ledger] = {}
        self._vectors: dict[str, NDArray[np.float64]] = {}
        self._records: dict[str, list[Record]] = {}
        self._lock = threading.Lock()
        self._attempts = 0

    def ping(self, seconds: float) -> None:
        """Always there."""

    def ledgers(self, seconds: float) -> list[Ledger]:
        """See Memory."""
        return [self._ledgers[run] for run in sorted(self._ledgers) if not self._ledgers[run].deleted]

    def ledger(self, run: str, seconds: float) -> Ledger | None:
        """See Memory."""
        return self._ledgers.get(run)

    def nearest(self, ledger: Ledger, before: int, queries: NDArray[np.float32], k: int, seconds: float) -> Nearest:
        """See Memory."""
        entries = ledger.before(before)
        keys = [Key(entry.iteration, index) for entry in entries for index in range(entry.items)]
        cosines = np.clip(queries.astype(np.float64) @ self._scan(ledger, entries).T, -1, 1)
        order = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
        return Nearest(np.take_along_axis(cosines, order, axis=1), [[keys[column] for column in row] for row in order])

    def total(self, ledger: Ledger, before: int, seconds: float) -> tuple[NDArray[np.float64], int]:
        """See Memory."""
        scanned = self._scan(ledger, ledger.before(before))
        return scanned.sum(axis=0), len(scanned)

    def records(self, ledger: Ledger, keys: Sequence[Key], seconds: float) -> list[Record]:
        """See Memory."""
        attempts = {entry.iteration: entry.attempt for entry in ledger.entries}
        return [self._records[attempts[key.iteration]][key.index] for key in keys]

    def commit(self, run: str, batch: IterationBatch, seconds: float) -> tuple[Ledger, bool]:
        """See Memory."""
        with self._lock:
            ledger = self._ledgers.get(run)
            if committed(ledger, run, batch.iteration, batch.digest) and ledger is not None:
                return ledger, True
            self._attempts += 1
            attempt = str(self._attempts)
            self._vectors[attempt] = batch.vectors.astype(np.float64)
            self._records[attempt] = [
                Record(record.question, record.program, record.answer, record.share, batch.iteration, index)
                for index, record in enumerate(batch.records)
            ]
            self._ledgers[run] = with_commit(ledger, run, batch, attempt, store=attempt)
            return self._ledgers[run], False

    def rollback(self, run: str, to_iteration: int, seconds: float) -> tuple[Ledger, list[int]]:
        """See Memory."""
        with self._lock:
            before = self._alive(run)
            self._ledgers[run] = with_rollback(before, to_iteration)
            return self._ledgers[run], [entry.iteration for entry in before.entries if entry.iteration > to_iteration]

    def delete(self, run: str, seconds: float) -> int:
        """See Memory."""
        with self._lock:
            ledger = self._alive(run)
            self._ledgers[run] = with_deletion(ledger)
            return ledger.items

    def _alive(self, run: str) -> Ledger:
        ledger = self._ledgers.get(run)
        if ledger is None or ledger.deleted:
            raise UnknownRunError(run)
        return ledger

    def _scan(self, ledger: Ledger, entries: Sequence[Entry]) -> NDArray[np.float64]:
        parts = [self._vectors[entry.attempt] for entry in entries]
        return np.concatenate(parts) if parts else np.zeros((0, ledger.dimension))
