"""Scores a batch: P_rep within it and P_MAP against what the run remembers (docs/method.md, "Challenger reward")."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from rdiverse.diversity import metrics
from rdiverse.diversity.memory.ledger import Ledger, Record
from rdiverse.diversity.memory.protocol import Key, MemorySimilarities
from rdiverse.diversity.memory.reader import MemoryReader
from rdiverse.diversity.sam.embedder import Embeddable, Embedded, Representation, SamEmbedder
from rdiverse.diversity.scoring.embedding import ItemError, check_brought, embed_comparable
from rdiverse.diversity.scoring.penalties import ItemPenalties, clusters, penalties
from rdiverse.selfplay.rewards import PenaltyConstants

TURNS = 16
"""Calls that search and compute at once. The others wait before it: all going on together would hold up health checks.

Measured with 64 clients on two busy cores, in six pairs: 16 answer a fifth more calls a second than 8, and the slowest
hundredth of the health checks takes 67 ms in place of 29.
"""

Remaining = Callable[[], float]
"""Seconds that the caller still waits, at the time of asking."""


@dataclass(frozen=True)
class ScoreQuery:
    """One batch of one run."""

    run: str
    before_iteration: int
    """Items of iterations below this are remembered."""
    items: Sequence[Embeddable]
    constants: PenaltyConstants
    representation: Representation = Representation.PROGRAM
    by_words: bool = False
    """Clusters by sentence BLEU of the questions (R-Zero) in place of the embeddings' cosine."""
    min_revision: int = 0
    with_embeddings: bool = False
    """The caller looks at programs or vectors, even where no penalty needs them."""
    with_nearest: bool = False
    """The caller looks at the nearest remembered items."""


@dataclass(frozen=True)
class ScoredItem:
    """One item, and what became of it."""

    embedded: Embedded
    penalties: ItemPenalties
    nearest: Record | None
    """The remembered item at cosine s_max, when it was asked for and there is one."""


@dataclass(frozen=True)
class ScoredBatch:
    """The items in their order, and the figures of the whole batch."""

    items: list[ScoredItem]
    clusters: int
    memory_items: int
    revision: int | None
    """None: the run has no memory."""
    embedding_version: str


@dataclass(frozen=True)
class FoundNeighbors:
    """The remembered items nearest to one, nearest first."""

    embedded: Embedded
    neighbors: list[tuple[Record, float]]
    """With their cosines."""


class Scorer:
    """To be used inside one event loop. `computing`: the threads for what takes a processor's time.

    Methods raise ItemError, what MemoryReader and `embed_comparable` raise, and nothing that is about the wire.
    """

    def __init__(self, sam: SamEmbedder, reads: MemoryReader, computing: ThreadPoolExecutor) -> None:
        self._sam = sam
        self._reads = reads
        self._computing = computing
        self._turns = asyncio.Semaphore(TURNS)

    async def score(self, query: ScoreQuery, remaining: Remaining) -> ScoredBatch:
        """The penalties of a batch."""
        # 1. One ledger for the whole call, so that all reads see one state, whatever is committed meanwhile.
        ledger = await self._reads.ledger(query.run, remaining(), query.min_revision)
        remembered = ledger if ledger is not None and ledger.before(query.before_iteration) else None
        # 2. SAM: each question's program and its vector, comparable with each other and with what is remembered.
        if remembered or query.with_embeddings or not query.by_words:
            embedded, version = await embed_comparable(self._sam, query.items, query.representation, remembered, remaining())
        else:
            # Clusters of words against an empty memory: nobody would look at a vector.
            check_brought(query.items, 0)
            embedded = [Embedded(item.vector, item.origin(query.representation), item.program) for item in query.items]
            version = ""
        async with self._turns:
            # 3. Clusters are made in a thread while the memory is searched.
            labels = self._computing.submit(
                clusters, [item.question for item in query.items], embedded, query.constants.cluster_threshold,
                bleu=query.by_words,
            )  # fmt: skip
            try:
                # 4. The nearest remembered item of each (S_max) and the sum of all (S_mean), then what the nearest say.
                seen, nearest = await self._search(query, remembered, embedded, remaining)
                # 5. Both penalties of each item, once the clusters are known.
                scored, count = await asyncio.get_running_loop().run_in_executor(
                    self._computing, _scored, embedded, labels, seen, nearest, query.constants
                )
            finally:
                labels.cancel()  # a caller who has gone needs none
        metrics.BATCH_ITEMS.observe(len(scored))
        metrics.CLUSTERS.observe(count)
        return ScoredBatch(scored, count, seen.count if seen else 0, ledger.revision if ledger else None, version)

    async def neighbors(
        self, run: str, item: Embeddable, before_iteration: int, count: int, min_revision: int, remaining: Remaining
    ) -> FoundNeighbors:
        """The `count` remembered items nearest to one. Raises UnknownRunError."""
        ledger = await self._reads.existing(run, remaining(), min_revision)
        [embedded], _ = await embed_comparable(self._sam, [item], Representation(ledger.representation), ledger, remaining())
        if embedded.vector is None:
            raise ItemError(0, "", f"cannot be embedded: {embedded.failure}")
        async with self._turns:
            found = (await self._reads.similarities(ledger, before_iteration, [embedded.vector], count, remaining())).nearest
            records = await self._reads.records(ledger, found.keys[0], remaining())
        return FoundNeighbors(embedded, list(zip(records, found.similarities[0].tolist(), strict=True)))

    async def _search(
        self, query: ScoreQuery, ledger: Ledger | None, embedded: Sequence[Embedded], remaining: Remaining
    ) -> tuple[MemorySimilarities | None, dict[Key, Record]]:
        if ledger is None:
            return None, {}
        vectors = [item.vector for item in embedded if item.vector is not None]
        seen = await self._reads.similarities(ledger, query.before_iteration, vectors, 1, remaining())
        keys = list(dict.fromkeys(keys[0] for keys in seen.nearest.keys)) if query.with_nearest else []
        return seen, dict(zip(keys, await self._reads.records(ledger, keys, remaining()), strict=True))


def _scored(
    embedded: Sequence[Embedded], clustered: "Future[list[int]]", seen: MemorySimilarities | None,
    nearest: dict[Key, Record], constants: PenaltyConstants,
) -> tuple[list[ScoredItem], int]:  # fmt: skip
    """The items, and the number of clusters, which were begun before this."""
    labels = clustered.result()
    results = penalties(embedded, labels, seen, constants)
    items = [
        ScoredItem(item, result, nearest.get(result.nearest) if result.nearest else None)
        for item, result in zip(embedded, results, strict=True)
    ]
    return items, len({label for label in labels if label >= 0})
