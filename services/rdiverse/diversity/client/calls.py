"""The calls of the diversity service: what is sent, and what the answer means. `client` makes them, blocking or awaited."""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from rdiverse.diversity.client.types import (
    BatchScore,
    Committed,
    Distance,
    Item,
    IterationStats,
    MemoryItem,
    Neighbor,
    Neighbors,
    Origin,
    Replay,
    Representation,
    Run,
    Score,
    Stats,
)
from rdiverse.grpcio_kit.chunks import chunks
from rdiverse.selfplay.rewards import PenaltyConstants
from rdiverse.v1 import diversity_pb2 as pb

R = TypeVar("R")

_DISTANCES = {"cosine": pb.DISTANCE_COSINE, "bleu": pb.DISTANCE_BLEU}
_REPRESENTATIONS = {"program": pb.REPRESENTATION_PROGRAM, "text": pb.REPRESENTATION_TEXT}
_ORIGINS: dict[int, Origin] = {pb.ORIGIN_QUESTION: "question", pb.ORIGIN_PROGRAM: "program", pb.ORIGIN_VECTOR: "vector"}


@dataclass(frozen=True)
class Call(Generic[R]):
    """One call, ready to be made."""

    method: str
    sent: Any
    """The message, or a list of those that are streamed."""
    read: Callable[[Any], R]
    """Makes the result from the message that answers, or from all of those that are streamed."""
    timeout: float
    """Seconds."""
    answer_streams: bool = False
    repeatable: bool = True
    """Whether it may be made again when it is not known what became of it."""

    def request(self) -> Any:
        """What the stub's method takes; anew for every attempt."""
        return iter(self.sent) if isinstance(self.sent, list) else self.sent


def score(
    run: str,
    questions: Sequence[str | Item],
    before_iteration: int,
    *,
    penalty: PenaltyConstants | None = None,
    distance: Distance = "cosine",
    representation: Representation = "program",
    return_programs: bool = False,
    return_vectors: bool = False,
    return_nearest: bool = False,
    min_revision: str = "",
    timeout: float = 600,
) -> Call[BatchScore]:
    """Penalties of one batch (at most 8192 items), in its order, against items of iterations < `before_iteration`.

    `penalty` None: the published constants. Raises TypeError for a single text: its characters are no questions.
    """
    if isinstance(questions, str):
        raise TypeError("questions: must be a list of questions, not one text")
    header = pb.ScoreHeader(
        run=run,
        before_iteration=before_iteration,
        penalty=pb.Penalty(distance=_DISTANCES[distance], **(asdict(penalty) if penalty else {})),
        representation=_REPRESENTATIONS[representation],
        return_programs=return_programs,
        return_vectors=return_vectors,
        return_nearest=return_nearest,
        min_revision=min_revision,
    )
    messages = [pb.ScoreRequest(header=header), *(pb.ScoreRequest(chunk=chunk) for chunk in _chunks(questions))]
    return Call("Score", messages, _batch_score, timeout, answer_streams=True)


def commit(
    run: str,
    iteration: int,
    items: Sequence[Item],
    *,
    digest: str | None = None,
    representation: Representation = "program",
    timeout: float = 600,
) -> Call[Committed]:
    """Add an iteration (at most 50,000 items). `digest` None: made from the items. Returns when durable and visible."""
    kind = _REPRESENTATIONS[representation]
    header = pb.CommitHeader(run=run, iteration=iteration, digest=digest or items_digest(items), representation=kind)
    messages = [pb.CommitRequest(header=header), *(pb.CommitRequest(chunk=chunk) for chunk in _chunks(items))]
    # The same digest again is the same answer.
    return Call("Commit", messages, lambda answer: Committed(answer.revision, answer.items, answer.already_committed), timeout)


def sample_replay(
    run: str, before_iteration: int, count: int, seed: int, *, min_revision: str = "", timeout: float = 600
) -> Call[Replay]:
    """Draw items of iterations < `before_iteration`, uniformly without replacement; fewer when there are fewer."""
    request = pb.SampleReplayRequest(
        run=run, before_iteration=before_iteration, count=count, seed=seed, min_revision=min_revision
    )
    return Call("SampleReplay", request, _replay, timeout, answer_streams=True)


def find_neighbors(
    run: str,
    question: str | Item,
    before_iteration: int,
    count: int = 5,
    *,
    min_revision: str = "",
    timeout: float = 60,
) -> Call[Neighbors]:
    """The nearest remembered items, nearest first: why is this question called a repeat?"""
    request = pb.FindNeighborsRequest(
        run=run, before_iteration=before_iteration, item=_item(question), count=count, min_revision=min_revision
    )
    return Call("FindNeighbors", request, _neighbors, timeout)


def get_stats(run: str, *, min_revision: str = "", timeout: float = 30) -> Call[Stats]:
    """What a run's memory holds."""
    return Call("GetStats", pb.GetStatsRequest(run=run, min_revision=min_revision), _stats, timeout)


def rollback(run: str, to_iteration: int, *, timeout: float = 120) -> Call[tuple[str, list[int]]]:
    """Drop iterations after `to_iteration`. Returns the revision and what was dropped."""
    request = pb.RollbackRequest(run=run, to_iteration=to_iteration)
    return Call("Rollback", request, lambda answer: (answer.revision, list(answer.dropped)), timeout)


def delete_run(run: str, *, timeout: float = 120) -> Call[int]:
    """Drop a run's memory. Returns the number of items dropped."""
    # A second attempt could not tell a lost answer from a run that is not there.
    return Call("DeleteRun", pb.DeleteRunRequest(run=run), lambda answer: int(answer.items), timeout, repeatable=False)


def list_runs(*, timeout: float = 30) -> Call[list[Run]]:
    """All runs that have a memory, by name."""
    return Call("ListRuns", pb.ListRunsRequest(), _runs, timeout)


def items_digest(items: Sequence[Item]) -> str:
    """SHA-256 of what items say, in their order, 64 hexadecimal characters."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(json.dumps([item.question, item.program, item.answer, item.share]).encode() + b"\n")
        if item.vector is not None:
            digest.update(np.asarray(item.vector, dtype="<f4").tobytes())
    return digest.hexdigest()


def _batch_score(responses: Iterable[pb.ScoreResponse]) -> BatchScore:
    scores: list[Score] = []
    last = pb.ScoreResponse()
    for last in responses:
        scores += map(_score, last.scores)
    return BatchScore(scores, last.batch_size, last.clusters, last.memory_items, last.revision, last.embedding_version)


def _replay(responses: Iterable[pb.SampleReplayResponse]) -> Replay:
    items: list[MemoryItem] = []
    revision = ""
    for response in responses:
        items += map(_memory_item, response.items)
        revision = response.revision
    return Replay(items, revision)


def _neighbors(response: pb.FindNeighborsResponse) -> Neighbors:
    return Neighbors(list(map(_neighbor, response.neighbors)), _ORIGINS.get(response.origin, ""), response.program)


def _stats(response: pb.GetStatsResponse) -> Stats:
    return Stats(
        response.run,
        [IterationStats(entry.iteration, entry.items, entry.digest) for entry in response.iterations],
        response.dimension,
        "text" if response.representation == pb.REPRESENTATION_TEXT else "program",
        response.revision,
    )


def _runs(response: pb.ListRunsResponse) -> list[Run]:
    return [Run(run.run, run.last_iteration, run.items) for run in response.runs]


def _chunks(items: Sequence[str | Item]) -> Iterable[pb.ItemChunk]:
    return (pb.ItemChunk(items=chunk) for chunk in chunks(map(_item, items), pb.Item.ByteSize))


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
