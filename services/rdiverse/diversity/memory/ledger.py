"""What a run's memory consists of, as one small immutable record, and the rules by which it changes.

Writing the next ledger is what makes a commit, a rollback or a deletion happen: rows that no ledger names do not exist.
"""

import base64
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

SCHEMA = 1
"""Version of everything stored. Another one is refused."""


class OutOfOrderError(ValueError):
    """An iteration whose predecessors are missing."""


class DigestMismatchError(ValueError):
    """The iteration was committed with another digest."""


class UnknownRunError(LookupError):
    """No memory under this run."""

    def __init__(self, run: str) -> None:
        super().__init__(f"run {run} has no memory")


class StaleRevisionError(ValueError):
    """The memory is older than what the caller has seen."""


class IncompatibleError(ValueError):
    """Embeddings of another representation, encoder or size, or stored by another version of this program."""


@dataclass(frozen=True)
class Entry:
    """One committed iteration."""

    iteration: int
    digest: str
    """SHA-256 as the caller counts its items, 64 hexadecimal characters."""
    attempt: str
    """Names the rows of the attempt that succeeded; those of dead attempts carry others."""
    items: int


@dataclass(frozen=True)
class Ledger:
    """The committed state of one run."""

    run: str
    revision: int
    """Grows with every write to the run, over its deletion too."""
    store: str
    """Names the rows of this life of the run; a deleted and remade run has another."""
    representation: str
    """program or text."""
    dimension: int
    encoder: str
    """Version of the encoder; empty while only callers' vectors came in."""
    entries: tuple[Entry, ...] = ()
    deleted: bool = False
    epoch: int = 0
    """Number of the writer's claim that wrote it."""

    @property
    def last_iteration(self) -> int:
        """The last committed iteration; 0 when there is none."""
        return self.entries[-1].iteration if self.entries else 0

    @property
    def items(self) -> int:
        """Items of all iterations."""
        return sum(entry.items for entry in self.entries)

    def before(self, iteration: int) -> tuple[Entry, ...]:
        """The entries of smaller iterations."""
        return tuple(entry for entry in self.entries if entry.iteration < iteration)

    def entry(self, iteration: int) -> Entry | None:
        """The entry of an iteration, when it is committed."""
        return next((entry for entry in self.entries if entry.iteration == iteration), None)

    def to_json(self) -> dict[str, Any]:
        """As stored: small enough for a thousand iterations in 64 KiB."""
        entries = [
            [entry.iteration, base64.b85encode(bytes.fromhex(entry.digest)).decode(), entry.attempt, entry.items]
            for entry in self.entries
        ]
        return asdict(replace(self, entries=())) | {"schema": SCHEMA, "entries": entries}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Ledger":
        """As read. Raises IncompatibleError when another version of this program wrote it."""
        schema = fields.pop("schema", None)
        if schema != SCHEMA:
            raise IncompatibleError(f"the memory has schema version {schema}, this server knows {SCHEMA}")
        entries = tuple(
            Entry(iteration, base64.b85decode(digest).hex(), attempt, items)
            for iteration, digest, attempt, items in fields.pop("entries")
        )
        return cls(**fields, entries=entries)


@dataclass(frozen=True)
class Record:
    """What is remembered of an item beside its vector."""

    question: str
    program: str
    answer: str
    share: float
    iteration: int = 0
    index: int = 0


@dataclass(frozen=True)
class IterationBatch:
    """The items of one iteration, ready to be committed."""

    iteration: int
    digest: str
    representation: str
    encoder: str
    vectors: NDArray[np.float32]
    """Unit vectors, (items, dimension)."""
    records: Sequence[Record]


def check_compatible(ledger: Ledger, representation: str, encoder: str, dimension: int) -> None:
    """Raise IncompatibleError unless such embeddings may be compared with what is remembered. Unknown: "" or 0."""
    if representation != ledger.representation:
        raise IncompatibleError(f"run {ledger.run} remembers {ledger.representation} embeddings, not {representation} ones")
    if dimension and dimension != ledger.dimension:
        raise IncompatibleError(f"run {ledger.run} remembers vectors of {ledger.dimension} components, not {dimension}")
    if encoder and ledger.encoder and encoder != ledger.encoder:
        raise IncompatibleError(f"run {ledger.run} remembers embeddings of encoder {ledger.encoder}, not {encoder}")


def committed(ledger: Ledger | None, run: str, iteration: int, digest: str) -> bool:
    """Whether these very items were committed before; False when the iteration is next in line.

    Raises DigestMismatchError or OutOfOrderError when it is neither.
    """
    entry = ledger.entry(iteration) if ledger is not None else None
    if entry is not None and entry.digest != digest:
        raise DigestMismatchError(f"iteration {iteration} of run {run} was committed with digest {entry.digest}")
    last = ledger.last_iteration if ledger is not None else 0
    if entry is None and iteration != last + 1:
        raise OutOfOrderError(f"iteration {iteration} of run {run} must be {last + 1}: its last one is {last}")
    return entry is not None


def with_commit(ledger: Ledger | None, run: str, batch: IterationBatch, attempt: str, store: str) -> Ledger:
    """The ledger after a commit. `store` is for a run that begins (again). Raises IncompatibleError."""
    entry = Entry(batch.iteration, batch.digest, attempt, len(batch.records))
    if ledger is None or ledger.deleted or not ledger.entries:
        revision = 1 if ledger is None else ledger.revision + 1
        return Ledger(run, revision, store, batch.representation, batch.vectors.shape[1], batch.encoder, (entry,))
    check_compatible(ledger, batch.representation, batch.encoder, batch.vectors.shape[1])
    return replace(
        ledger, revision=ledger.revision + 1, encoder=ledger.encoder or batch.encoder, entries=(*ledger.entries, entry)
    )


def with_rollback(ledger: Ledger, to_iteration: int) -> Ledger:
    """The ledger that keeps iterations up to `to_iteration`. The same one when there is nothing to drop."""
    kept = tuple(entry for entry in ledger.entries if entry.iteration <= to_iteration)
    return ledger if kept == ledger.entries else replace(ledger, revision=ledger.revision + 1, entries=kept)


def with_deletion(ledger: Ledger) -> Ledger:
    """The ledger that remembers nothing but the revision."""
    return replace(ledger, revision=ledger.revision + 1, entries=(), deleted=True)
