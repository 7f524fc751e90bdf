"""Between messages and what they mean, on the server's side."""

from collections.abc import Iterator, Mapping, Sequence

from rdiverse.diversity.memory.ledger import Record
from rdiverse.diversity.memory.protocol import Key
from rdiverse.diversity.sam.sam import Embedded, Origin
from rdiverse.diversity.scoring import Penalties
from rdiverse.grpcio_kit.errors import InvalidFieldError
from rdiverse.selfplay.rewards import PenaltyConstants, PenaltyRangeError
from rdiverse.v1 import diversity_pb2 as pb

ORIGINS = {
    Origin.QUESTION: pb.ORIGIN_QUESTION,
    Origin.PROGRAM: pb.ORIGIN_PROGRAM,
    Origin.VECTOR: pb.ORIGIN_VECTOR,
}
_MESSAGE_BYTES = 2 * 2**20


def read_constants(penalty: pb.Penalty) -> PenaltyConstants:
    """The constants of a batch, published values where they are left out. Raises InvalidFieldError."""
    if penalty.distance not in pb.Distance.values():
        raise InvalidFieldError("header.penalty.distance", f"{penalty.distance} is no Distance")
    try:
        return PenaltyConstants(**{field.name: value for field, value in penalty.ListFields() if field.name != "distance"})
    except PenaltyRangeError as error:
        raise InvalidFieldError(f"header.penalty.{error.field}", error.message) from error


def memory_item(record: Record) -> pb.MemoryItem:
    """A remembered item."""
    return pb.MemoryItem(
        question=record.question, program=record.program, answer=record.answer, share=record.share,
        iteration=record.iteration, index=record.index,
    )  # fmt: skip


def score_responses(
    header: pb.ScoreHeader,
    batch: pb.ScoreResponse,
    embedded: Sequence[Embedded],
    results: Sequence[Penalties],
    nearest: Mapping[Key, Record],
) -> Iterator[pb.ScoreResponse]:
    """The results in messages of bounded size, each with the figures of the whole batch, which `batch` holds."""
    response, size = _copied(batch), 0
    for item, result in zip(embedded, results, strict=True):
        score = _score(header, item, result, nearest)
        weight = score.ByteSize()
        if response.scores and size + weight > _MESSAGE_BYTES:
            yield response
            response, size = _copied(batch), 0
        response.scores.append(score)
        size += weight
    yield response


def _copied(message: pb.ScoreResponse) -> pb.ScoreResponse:
    copy = pb.ScoreResponse()
    copy.CopyFrom(message)
    return copy


def _score(header: pb.ScoreHeader, item: Embedded, result: Penalties, nearest: Mapping[Key, Record]) -> pb.ItemScore:
    score = pb.ItemScore(
        p_rep=result.p_rep, cluster=result.cluster, s_max=result.s_max, s_mean=result.s_mean, p_map=result.p_map,
        origin=ORIGINS[item.origin], failure=item.failure,
    )  # fmt: skip
    if header.return_programs:
        score.program = item.program
    if header.return_vectors and item.vector is not None:
        score.vector = item.vector.astype("<f4").tobytes()
    if result.nearest is not None and result.nearest in nearest:
        score.nearest.CopyFrom(pb.Neighbor(item=memory_item(nearest[result.nearest]), similarity=result.s_max))
    return score
