"""Between messages and what they mean, on the server's side."""

from collections.abc import Iterator, Mapping, Sequence

from rdiverse.diversity.memory.ledger import Record
from rdiverse.diversity.memory.protocol import Key
from rdiverse.diversity.sam.sam import Embedded, Origin
from rdiverse.diversity.scoring import Constants, Penalties
from rdiverse.diversity.server import rules
from rdiverse.grpcio_kit.errors import InvalidFieldError
from rdiverse.v1 import diversity_pb2 as pb

ORIGINS = {
    Origin.QUESTION: pb.ORIGIN_QUESTION,
    Origin.PROGRAM: pb.ORIGIN_PROGRAM,
    Origin.VECTOR: pb.ORIGIN_VECTOR,
}
_MESSAGE_BYTES = 2 * 2**20


def read_constants(penalty: pb.Penalty) -> Constants:
    """The constants of a batch, published values where they are left out."""
    if penalty.distance not in pb.Distance.values():
        raise InvalidFieldError("header.penalty.distance", f"{penalty.distance} is no Distance")
    default = Constants()

    def value(name: str, least: float, most: float, *, open_below: bool = False) -> float:
        given: float = getattr(penalty, name) if penalty.HasField(name) else getattr(default, name)  # type: ignore[arg-type]
        return rules.number(f"header.penalty.{name}", given, least, most, open_below=open_below)

    return Constants(
        bleu=penalty.distance == pb.DISTANCE_BLEU,
        cluster_threshold=value("cluster_threshold", 0, 2, open_below=True),
        gamma=value("gamma", 0, 1),
        tau_max=value("tau_max", -1, 1),
        tau_mean=value("tau_mean", -1, 1),
    )


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
