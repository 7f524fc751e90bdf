"""What goes into and comes out of the client's calls, and how it looks as messages."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from rdiverse.v1 import diversity_pb2 as pb

Distance = Literal["cosine", "bleu"]
Representation = Literal["program", "text"]
Origin = Literal["", "question", "program", "vector"]

_CHUNK_ITEMS = 1024
_CHUNK_BYTES = 4 * 2**20
_DISTANCES = {"cosine": pb.DISTANCE_COSINE, "bleu": pb.DISTANCE_BLEU}
_REPRESENTATIONS = {"program": pb.REPRESENTATION_PROGRAM, "text": pb.REPRESENTATION_TEXT}
_ORIGINS: dict[int, Origin] = {pb.ORIGIN_QUESTION: "question", pb.ORIGIN_PROGRAM: "program", pb.ORIGIN_VECTOR: "vector"}


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


class PenaltyLike(Protocol):
    """Anything with the constants of P_rep and P_MAP, such as a run's configuration."""

    @property
    def cluster_threshold(self) -> float | None:
        """Average-linkage threshold."""

    @property
    def gamma(self) -> float | None:
        """Weight of S_max against S_mean."""

    @property
    def tau_max(self) -> float | None:
        """S_max up to this costs nothing."""

    @property
    def tau_mean(self) -> float | None:
        """S_mean up to this costs nothing."""


@dataclass(frozen=True)
class Penalty:
    """The constants of P_rep and P_MAP. None: the published value."""

    cluster_threshold: float | None = None
    gamma: float | None = None
    tau_max: float | None = None
    tau_mean: float | None = None


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


def items_digest(items: Sequence[Item]) -> str:
    """SHA-256 of what items say, in their order, 64 hexadecimal characters."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(json.dumps([item.question, item.program, item.answer, item.share]).encode() + b"\n")
        if item.vector is not None:
            digest.update(np.asarray(item.vector, dtype="<f4").tobytes())
    return digest.hexdigest()


def score_requests(
    run: str,
    questions: Sequence[str | Item],
    before_iteration: int,
    penalty: PenaltyLike | None,
    distance: Distance,
    representation: Representation,
    min_revision: str,
    *,
    return_programs: bool,
    return_vectors: bool,
    return_nearest: bool,
) -> list[pb.ScoreRequest]:
    """The messages of a Score call."""
    constants = penalty or Penalty()
    header = pb.ScoreHeader(
        run=run,
        before_iteration=before_iteration,
        penalty=pb.Penalty(
            distance=_DISTANCES[distance],
            cluster_threshold=constants.cluster_threshold,
            gamma=constants.gamma,
            tau_max=constants.tau_max,
            tau_mean=constants.tau_mean,
        ),
        representation=_REPRESENTATIONS[representation],
        return_programs=return_programs,
        return_vectors=return_vectors,
        return_nearest=return_nearest,
        min_revision=min_revision,
    )
    return [pb.ScoreRequest(header=header), *(pb.ScoreRequest(chunk=chunk) for chunk in _chunks(questions))]


def commit_requests(
    run: str, iteration: int, items: Sequence[Item], digest: str, representation: Representation
) -> list[pb.CommitRequest]:
    """The messages of a Commit call."""
    kind = _REPRESENTATIONS[representation]
    header = pb.CommitHeader(run=run, iteration=iteration, digest=digest, representation=kind)
    return [pb.CommitRequest(header=header), *(pb.CommitRequest(chunk=chunk) for chunk in _chunks(items))]


def replay_request(run: str, before_iteration: int, count: int, seed: int, min_revision: str) -> pb.SampleReplayRequest:
    """The message of a SampleReplay call."""
    return pb.SampleReplayRequest(run=run, before_iteration=before_iteration, count=count, seed=seed, min_revision=min_revision)


def neighbors_request(
    run: str, question: str | Item, before_iteration: int, count: int, min_revision: str
) -> pb.FindNeighborsRequest:
    """The message of a FindNeighbors call."""
    return pb.FindNeighborsRequest(
        run=run, before_iteration=before_iteration, item=_item(question), count=count, min_revision=min_revision
    )


def read_scores(responses: Iterable[pb.ScoreResponse]) -> BatchScore:
    """The result of a Score call."""
    scores: list[Score] = []
    last = pb.ScoreResponse()
    for last in responses:
        scores += map(_score, last.scores)
    return BatchScore(scores, last.batch_size, last.clusters, last.memory_items, last.revision, last.embedding_version)


def read_replay(responses: Iterable[pb.SampleReplayResponse]) -> Replay:
    """The result of a SampleReplay call."""
    items: list[MemoryItem] = []
    revision = ""
    for response in responses:
        items += map(_memory_item, response.items)
        revision = response.revision
    return Replay(items, revision)


def read_neighbors(response: pb.FindNeighborsResponse) -> Neighbors:
    """The result of a FindNeighbors call."""
    return Neighbors(list(map(_neighbor, response.neighbors)), _ORIGINS.get(response.origin, ""), response.program)


def read_stats(response: pb.GetStatsResponse) -> Stats:
    """The result of a GetStats call."""
    return Stats(
        response.run,
        [IterationStats(entry.iteration, entry.items, entry.digest) for entry in response.iterations],
        response.dimension,
        "text" if response.representation == pb.REPRESENTATION_TEXT else "program",
        response.revision,
    )


def _chunks(items: Sequence[str | Item]) -> Iterable[pb.ItemChunk]:
    chunk, size = pb.ItemChunk(), 0
    for message in map(_item, items):
        weight = message.ByteSize()
        if chunk.items and (len(chunk.items) == _CHUNK_ITEMS or size + weight > _CHUNK_BYTES):
            yield chunk
            chunk, size = pb.ItemChunk(), 0
        chunk.items.append(message)
        size += weight
    if chunk.items:
        yield chunk


def _item(item: str | Item) -> pb.Item:
    if isinstance(item, str):
        return pb.Item(question=item)
    vector = b"" if item.vector is None else np.asarray(item.vector, dtype="<f4").tobytes()
    return pb.Item(question=item.question, program=item.program, vector=vector, answer=item.answer, share=item.share)


def _memory_item(message: pb.MemoryItem) -> MemoryItem:
    return MemoryItem(message.question, message.program, message.answer, message.share, message.iteration, message.index)


def _neighbor(message: pb.Neighbor) -> Neighbor:
    return Neighbor(_memory_item(message.item), message.similarity)


def _score(message: pb.ItemScore) -> Score:
    return Score(
        message.p_rep, message.cluster, message.s_max, message.s_mean, message.p_map, _ORIGINS.get(message.origin, ""),
        message.failure, message.program, np.frombuffer(message.vector, dtype="<f4") if message.vector else None,
        _neighbor(message.nearest) if message.HasField("nearest") else None,
    )  # fmt: skip
