"""Between messages and what they mean, on the server's side."""

from collections.abc import Sequence
from typing import Any

from rdiverse.diversity.memory.ledger import Ledger, Record
from rdiverse.diversity.sam.embedder import Origin, Representation
from rdiverse.diversity.scoring.committer import CommitQuery
from rdiverse.diversity.scoring.scorer import FoundNeighbors, ScoredBatch, ScoredItem, ScoreQuery
from rdiverse.diversity.server import rules
from rdiverse.grpcio_kit.chunks import chunks
from rdiverse.grpcio_kit.errors import InvalidFieldError
from rdiverse.selfplay.rewards import PenaltyConstants, PenaltyRangeError
from rdiverse.v1 import diversity_pb2 as pb

ORIGINS = {
    Origin.QUESTION: pb.ORIGIN_QUESTION,
    Origin.PROGRAM: pb.ORIGIN_PROGRAM,
    Origin.VECTOR: pb.ORIGIN_VECTOR,
}


def score_query(header: pb.ScoreHeader, items: Sequence[pb.Item]) -> ScoreQuery:
    """What Score is asked. Raises InvalidFieldError."""
    return ScoreQuery(
        run=header.run,
        before_iteration=rules.between("header.before_iteration", header.before_iteration, 0, rules.MAX_ITERATION + 1),
        constants=_constants(header.penalty),
        by_words=header.penalty.distance == pb.DISTANCE_BLEU,
        representation=rules.representation("header.representation", header.representation),
        items=[rules.item(f"items[{index}]", item) for index, item in enumerate(items)],
        min_revision=rules.revision("min_revision", header.min_revision),
        with_embeddings=header.return_programs or header.return_vectors,
        with_nearest=header.return_nearest,
    )


def commit_query(header: pb.CommitHeader, items: Sequence[pb.Item]) -> CommitQuery:
    """What Commit is asked. Raises InvalidFieldError."""
    return CommitQuery(
        run=header.run,
        iteration=rules.between("header.iteration", header.iteration, 1, rules.MAX_ITERATION),
        digest=rules.digest("header.digest", header.digest),
        representation=rules.representation("header.representation", header.representation),
        items=[rules.committed_item(f"items[{index}]", item) for index, item in enumerate(items)],
        labels=[(item.answer, item.share) for item in items],
    )


def score_responses(header: pb.ScoreHeader, batch: ScoredBatch) -> list[pb.ScoreResponse]:
    """The scores in messages of bounded size, each with the figures of the whole batch."""
    figures: dict[str, Any] = {
        "batch_size": len(batch.items), "clusters": batch.clusters, "memory_items": batch.memory_items,
        "revision": "" if batch.revision is None else str(batch.revision), "embedding_version": batch.embedding_version,
    }  # fmt: skip
    scores = (_score(header, item) for item in batch.items)
    return [pb.ScoreResponse(scores=some, **figures) for some in chunks(scores, pb.ItemScore.ByteSize)]


def neighbors_response(found: FoundNeighbors) -> pb.FindNeighborsResponse:
    """The answer to FindNeighbors."""
    neighbors = [pb.Neighbor(item=memory_item(record), similarity=cosine) for record, cosine in found.neighbors]
    return pb.FindNeighborsResponse(neighbors=neighbors, origin=ORIGINS[found.embedded.origin], program=found.embedded.program)


def stats_response(ledger: Ledger) -> pb.GetStatsResponse:
    """The answer to GetStats."""
    text = ledger.representation == Representation.TEXT
    return pb.GetStatsResponse(
        run=ledger.run, dimension=ledger.dimension, revision=str(ledger.revision),
        representation=pb.REPRESENTATION_TEXT if text else pb.REPRESENTATION_PROGRAM,
        iterations=[
            pb.IterationStats(iteration=entry.iteration, items=entry.items, digest=entry.digest) for entry in ledger.entries
        ],
    )  # fmt: skip


def memory_item(record: Record) -> pb.MemoryItem:
    """A remembered item."""
    return pb.MemoryItem(**vars(record))


def _constants(penalty: pb.Penalty) -> PenaltyConstants:
    """The constants of a batch, published values where they are left out."""
    if penalty.distance not in pb.Distance.values():
        raise InvalidFieldError("header.penalty.distance", f"must be a Distance, not {penalty.distance}")
    try:
        return PenaltyConstants(**{field.name: value for field, value in penalty.ListFields() if field.name != "distance"})
    except PenaltyRangeError as error:
        raise InvalidFieldError(f"header.penalty.{error.field}", error.message) from error


def _score(header: pb.ScoreHeader, item: ScoredItem) -> pb.ItemScore:
    embedded, result = item.embedded, item.penalties
    score = pb.ItemScore(
        p_rep=result.p_rep, cluster=result.cluster, s_max=result.s_max, s_mean=result.s_mean, p_map=result.p_map,
        origin=ORIGINS[embedded.origin], failure=embedded.failure,
    )  # fmt: skip
    if header.return_programs:
        score.program = embedded.program
    if header.return_vectors and embedded.vector is not None:
        score.vector = embedded.vector.astype("<f4").tobytes()
    if item.nearest is not None:
        score.nearest.CopyFrom(pb.Neighbor(item=memory_item(item.nearest), similarity=result.s_max))
    return score
