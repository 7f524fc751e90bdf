"""Embeds one iteration's items and commits them, all or nothing."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rdiverse.diversity.memory.ledger import IterationBatch, Ledger, Record, committed
from rdiverse.diversity.memory.protocol import Memory
from rdiverse.diversity.memory.reader import MemoryReader, in_pool
from rdiverse.diversity.sam.embedder import Embeddable, Embedded, Representation, SamEmbedder
from rdiverse.diversity.scoring.embedding import ItemError, embed_comparable, encoder_of
from rdiverse.diversity.scoring.scorer import Remaining


@dataclass(frozen=True)
class CommitQuery:
    """The items of one iteration of one run."""

    run: str
    iteration: int
    digest: str
    items: Sequence[Embeddable]
    labels: Sequence[tuple[str, float]]
    """Pseudo-label and self-consistency of each item."""
    representation: Representation = Representation.PROGRAM


class Committer:
    """To be used inside one event loop. `writing` has one thread: writes go one after another, and hold up no reads."""

    def __init__(
        self, sam: SamEmbedder, memory: Memory, reads: MemoryReader, computing: ThreadPoolExecutor, writing: ThreadPoolExecutor
    ) -> None:
        self._sam = sam
        self._memory = memory
        self._reads = reads
        self._computing = computing
        self._writing = writing

    async def commit(self, query: CommitQuery, remaining: Remaining) -> tuple[Ledger, bool]:
        """The ledger, and whether the iteration had been committed before.

        Raises ItemError for an item that cannot be embedded, and what Memory.commit and `embed_comparable` raise.
        """
        # 1. The same items again are the same answer; nothing is embedded for it.
        ledger = await self._reads.ledger(query.run, remaining())
        if committed(ledger, query.run, query.iteration, query.digest) and ledger is not None:
            return ledger, True
        # 2. Vectors that fit to those remembered, if there are any.
        remembered = ledger if ledger is not None and ledger.entries else None
        embedded, _ = await embed_comparable(self._sam, query.items, query.representation, remembered, remaining())
        encoder = await encoder_of(self._sam, query.items, query.representation)
        # 3. Rows first, the ledger that names them last: the memory's own business, which checks once more.
        loop = asyncio.get_running_loop()
        vectors, records = await loop.run_in_executor(self._computing, _rows, query, embedded)
        batch = IterationBatch(query.iteration, query.digest, query.representation, encoder, vectors, records)
        return await in_pool(self._writing, remaining(), self._memory.commit, query.run, batch)


def _rows(query: CommitQuery, embedded: Sequence[Embedded]) -> tuple[NDArray[np.float32], list[Record]]:
    vectors = []
    for index, item in enumerate(embedded):
        if item.vector is None:
            raise ItemError(index, "", f"cannot be embedded: {item.failure}")
        vectors.append(item.vector)
    records = [
        Record(item.question, made.program, answer, share)
        for item, made, (answer, share) in zip(query.items, embedded, query.labels, strict=True)
    ]
    return np.stack(vectors), records
