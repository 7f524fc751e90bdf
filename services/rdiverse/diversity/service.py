"""DiversityService: reads messages, checks their fields, asks SAM and the memory, writes messages."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import grpc
import grpc.aio
import numpy as np

from rdiverse.diversity import metrics, rules
from rdiverse.diversity.faults import translated, unknown_run
from rdiverse.diversity.memory.ledger import Batch, Ledger, Record, check_compatible, committed
from rdiverse.diversity.memory.protocol import Memory
from rdiverse.diversity.messages import ORIGINS, memory_item, read_constants, score_responses
from rdiverse.diversity.replay import draw
from rdiverse.diversity.sam import Embedded, Given, Representation, Sam
from rdiverse.diversity.scoring import Seen, clusters, penalties
from rdiverse.diversity.searches import Searches
from rdiverse.grpcio_kit.errors import InvalidFieldError, ServiceError
from rdiverse.grpcio_kit.tokens import EVERYTHING, Scope, Tokens, Verb
from rdiverse.v1 import diversity_pb2 as pb
from rdiverse.v1.diversity_pb2_grpc import DiversityServiceServicer
from rdiverse.v1.errors_pb2 import ErrorReason

LONGEST_CALL_SECONDS = 3600.0
"""For a caller that set no deadline."""
_REPLAY_AT_ONCE = 1000
_MARGIN_SECONDS, _MARGIN_SHARE = 0.25, 0.05
"""Kept back from the caller's deadline, so that the answer why arrives before it."""
_COMPUTING = 2
_READING = 8

T = TypeVar("T")


class DiversityServicer(DiversityServiceServicer):
    """Answers from one memory. With `tokens`, callers reach the runs that their token's scope names."""

    def __init__(self, sam: Sam, memory: Memory, tokens: Tokens | None = None) -> None:
        self._sam = sam
        self._tokens = tokens
        self._memory = memory
        # Few threads that compute: each of them competes with the one that answers health checks.
        self._computing = ThreadPoolExecutor(_COMPUTING, "compute")
        self._reading = ThreadPoolExecutor(_READING, "memory")
        self._searches = Searches(memory, self._reading)

    async def Score(self, request_iterator: Any, context: Any) -> AsyncIterator[pb.ScoreResponse]:  # noqa: N802
        """Reads only."""
        with translated():
            header, items = await _read_batch(request_iterator, pb.ScoreHeader, rules.MAX_SCORE_ITEMS)
            run = self._allowed(context, rules.run("header.run", header.run), "read")
            before = rules.between("header.before_iteration", header.before_iteration, 0, rules.MAX_ITERATION + 1)
            constants = read_constants(header.penalty)
            representation = rules.representation("header.representation", header.representation)
            given = await self._in(self._computing, _given, items, rules.item)
            ledger = await self._ledger(run, header.min_revision, context)
            entries = ledger.before(before) if ledger is not None else ()
            dimension = ledger.dimension if ledger is not None and entries else 0
            rules.same_dimension(given, dimension)
            embedded, version = await self._embedded(
                given, representation, context,
                needed=bool(entries) or not constants.bleu or header.return_programs or header.return_vectors,
            )  # fmt: skip
            await self._check_embedded(given, embedded, ledger if entries else None, representation)
            labels, seen = await asyncio.gather(
                self._in(self._computing, clusters, [item.question for item in given], embedded, constants),
                self._seen(ledger, before, embedded, context),
            )
            results = await self._in(self._computing, penalties, embedded, labels, seen, constants)
            metrics.BATCH_ITEMS.observe(len(items))
            metrics.CLUSTERS.observe(len({label for label in labels if label >= 0}))
            nearest = {}
            if header.return_nearest and ledger is not None:
                keys = list(dict.fromkeys(result.nearest for result in results if result.nearest is not None))
                found = await self._in(self._reading, self._memory.records, ledger, keys, left(context))
                nearest = dict(zip(keys, found, strict=True))
            for response in score_responses(header, embedded, results, nearest):
                response.memory_items = seen.count if seen else 0
                response.revision = str(ledger.revision) if ledger else ""
                response.embedding_version = version
                yield response

    async def Commit(self, request_iterator: Any, context: Any) -> pb.CommitResponse:  # noqa: N802
        """All or nothing."""
        with translated(), metrics.COMMIT_SECONDS.time():
            header, items = await _read_batch(request_iterator, pb.CommitHeader, rules.MAX_COMMIT_ITEMS)
            run = self._allowed(context, rules.run("header.run", header.run), "write")
            iteration = rules.between("header.iteration", header.iteration, 1, rules.MAX_ITERATION)
            digest = rules.digest("header.digest", header.digest)
            representation = rules.representation("header.representation", header.representation)
            given = await self._in(self._computing, _given, items, rules.committed_item)
            ledger = await self._ledger(run, "", context)
            if committed(ledger, run, iteration, digest) and ledger is not None:
                return pb.CommitResponse(revision=str(ledger.revision), items=len(items), already_committed=True)
            rules.same_dimension(given, ledger.dimension if ledger is not None and ledger.entries else 0)
            embedded, _ = await self._embedded(given, representation, context)
            await self._check_embedded(given, embedded, None, representation)
            for index, item in enumerate(embedded):
                if item.vector is None:
                    raise InvalidFieldError(f"items[{index}]", f"cannot be embedded: {item.failure}")
            records = [
                Record(item.question, made.program, item.answer, item.share) for item, made in zip(items, embedded, strict=True)
            ]
            batch = Batch(
                iteration, digest, representation, await self._encoder_of(given, representation),
                np.stack([item.vector for item in embedded if item.vector is not None]),
                records,
            )  # fmt: skip
            following, already = await self._in(self._reading, self._memory.commit, run, batch, left(context))
            metrics.MEMORY_ITEMS.labels(run).set(following.items)
            return pb.CommitResponse(revision=str(following.revision), items=len(items), already_committed=already)

    async def SampleReplay(self, request: pb.SampleReplayRequest, context: Any) -> AsyncIterator[pb.SampleReplayResponse]:  # noqa: N802
        """Uniform without replacement."""
        with translated():
            run = self._allowed(context, rules.run("run", request.run), "read")
            before = rules.between("before_iteration", request.before_iteration, 1, rules.MAX_ITERATION + 1)
            count = rules.between("count", request.count, 1, rules.MAX_REPLAY)
            ledger = await self._known(run, request.min_revision, context)
            keys = draw(ledger.before(before), count, request.seed)
            for start in range(0, max(len(keys), 1), _REPLAY_AT_ONCE):
                some = keys[start : start + _REPLAY_AT_ONCE]
                records = await self._in(self._reading, self._memory.records, ledger, some, left(context)) if some else []
                yield pb.SampleReplayResponse(items=map(memory_item, records), revision=str(ledger.revision))

    async def FindNeighbors(self, request: pb.FindNeighborsRequest, context: Any) -> pb.FindNeighborsResponse:  # noqa: N802
        """Nearest first."""
        with translated():
            run = self._allowed(context, rules.run("run", request.run), "read")
            before = rules.between("before_iteration", request.before_iteration, 1, rules.MAX_ITERATION + 1)
            given = [rules.item("item", request.item)]
            count = rules.between("count", request.count, 1, rules.MAX_NEIGHBORS)
            ledger = await self._known(run, request.min_revision, context)
            if given[0].vector is not None and len(given[0].vector) != ledger.dimension:
                raise InvalidFieldError("item.vector", f"has {len(given[0].vector)} components, must have {ledger.dimension}")
            representation = Representation(ledger.representation)
            [embedded], _ = await self._sam.embed(given, representation, left(context))
            if embedded.vector is None:
                raise InvalidFieldError("item", f"cannot be embedded: {embedded.failure}")
            await self._check_embedded(given, [embedded], ledger, representation)
            queries = embedded.vector[np.newaxis]
            found = await self._searches.nearest(ledger, before, queries, count, left(context))
            records = await self._in(self._reading, self._memory.records, ledger, found.keys[0], left(context))
            return pb.FindNeighborsResponse(
                neighbors=[
                    pb.Neighbor(item=memory_item(record), similarity=similarity)
                    for record, similarity in zip(records, found.similarities[0], strict=True)
                ],
                origin=ORIGINS[embedded.origin],
                program=embedded.program,
            )

    async def GetStats(self, request: pb.GetStatsRequest, context: Any) -> pb.GetStatsResponse:  # noqa: N802
        """What is committed."""
        with translated():
            run = self._allowed(context, rules.run("run", request.run), "read")
            ledger = await self._known(run, request.min_revision, context)
            entries = [
                pb.IterationStats(iteration=entry.iteration, items=entry.items, digest=entry.digest) for entry in ledger.entries
            ]
            text = ledger.representation == Representation.TEXT
            return pb.GetStatsResponse(
                run=ledger.run, iterations=entries, dimension=ledger.dimension, revision=str(ledger.revision),
                representation=pb.REPRESENTATION_TEXT if text else pb.REPRESENTATION_PROGRAM,
            )  # fmt: skip

    async def Rollback(self, request: pb.RollbackRequest, context: Any) -> pb.RollbackResponse:  # noqa: N802
        """Drop the iterations after one."""
        with translated():
            run = self._allowed(context, rules.run("run", request.run), "write")
            to_iteration = rules.between("to_iteration", request.to_iteration, 0, rules.MAX_ITERATION)
            ledger, dropped = await self._in(self._reading, self._memory.rollback, run, to_iteration, left(context))
            metrics.MEMORY_ITEMS.labels(run).set(ledger.items)
            return pb.RollbackResponse(revision=str(ledger.revision), dropped=dropped)

    async def DeleteRun(self, request: pb.DeleteRunRequest, context: Any) -> pb.DeleteRunResponse:  # noqa: N802
        """Drop a run."""
        with translated():
            run = self._allowed(context, rules.run("run", request.run), "write")
            items = await self._in(self._reading, self._memory.delete, run, left(context))
            metrics.MEMORY_ITEMS.remove(run)
            return pb.DeleteRunResponse(items=items)

    async def ListRuns(self, request: pb.ListRunsRequest, context: Any) -> pb.ListRunsResponse:  # noqa: ARG002, N802
        """All runs that the caller may read."""
        with translated():
            found = await self._in(self._reading, self._memory.ledgers, left(context))
            scope = self._scope(context)
            runs = [
                pb.RunSummary(run=ledger.run, last_iteration=ledger.last_iteration, items=ledger.items)
                for ledger in found
                if scope.allows(ledger.run, "read")
            ]
            return pb.ListRunsResponse(runs=runs)

    def _scope(self, context: Any) -> Scope:
        return self._tokens.scope(context) if self._tokens else EVERYTHING

    def _allowed(self, context: Any, run: str, verb: Verb) -> str:
        """The run, if the caller may do this with it."""
        self._scope(context).check(run, verb)
        return run

    async def _ledger(self, run: str, min_revision: str, context: Any) -> Ledger | None:
        """The run's ledger, None when it has no memory."""
        wanted = rules.revision("min_revision", min_revision)
        ledger = await self._in(self._reading, self._memory.ledger, run, left(context))
        if wanted > (ledger.revision if ledger else 0):
            raise ServiceError(
                grpc.StatusCode.FAILED_PRECONDITION, ErrorReason.ERROR_REASON_STALE_REVISION,
                f"run {run} is at revision {ledger.revision if ledger else 0}, asked for {wanted}",
            )  # fmt: skip
        return None if ledger is None or ledger.deleted else ledger

    async def _known(self, run: str, min_revision: str, context: Any) -> Ledger:
        ledger = await self._ledger(run, min_revision, context)
        if ledger is None:
            raise unknown_run(run)
        return ledger

    async def _embedded(
        self, given: Sequence[Given], representation: Representation, context: Any, *, needed: bool = True
    ) -> tuple[list[Embedded], str]:
        if needed:
            return await self._sam.embed(given, representation, left(context))
        # Clusters of words against an empty memory: nobody would look at a vector.
        return [Embedded(item.vector, item.origin(representation), item.program) for item in given], ""

    async def _encoder_of(self, given: Sequence[Given], representation: Representation) -> str:
        """The encoder behind the vectors; empty when all of them were brought."""
        ours = any(item.vector is None for item in given)
        return await self._sam.encoder_version(representation) if ours else ""

    async def _check_embedded(
        self, given: Sequence[Given], embedded: Sequence[Embedded], ledger: Ledger | None, representation: Representation
    ) -> None:
        """All vectors have one size, and are comparable with the memory if there is one."""
        made = {
            len(item.vector)
            for item, source in zip(embedded, given, strict=True)
            if item.vector is not None and source.vector is None
        }
        rules.same_dimension(given, max(made, default=0))
        if ledger is not None:
            check_compatible(ledger, representation, await self._encoder_of(given, representation), max(made, default=0))

    async def _seen(self, ledger: Ledger | None, before: int, embedded: Sequence[Embedded], context: Any) -> Seen | None:
        if ledger is None or not ledger.before(before):
            return None
        vectors = [item.vector for item in embedded if item.vector is not None]
        queries = np.stack(vectors) if vectors else np.zeros((0, ledger.dimension), dtype=np.float32)
        nearest = await self._searches.nearest(ledger, before, queries, 1, left(context))
        total, count = await self._in(self._reading, self._memory.total, ledger, before, left(context))
        return Seen(nearest, total, count)

    async def _in(self, pool: ThreadPoolExecutor, call: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool, call, *arguments)


def left(context: Any) -> float:
    """Seconds until the caller gives up."""
    remaining = context.time_remaining()
    if remaining is None:
        return LONGEST_CALL_SECONDS
    return max(float(remaining) - max(_MARGIN_SECONDS, _MARGIN_SHARE * float(remaining)), 0.001)


def _given(items: Sequence[pb.Item], check: Callable[[str, pb.Item], Given]) -> list[Given]:
    return [check(f"items[{index}]", item) for index, item in enumerate(items)]


async def _read_batch(requests: AsyncIterator[Any], header_type: type[Any], most: int) -> tuple[Any, list[pb.Item]]:
    """The header and all items of a stream, within bounds."""
    header: Any = None
    items: list[pb.Item] = []
    size = 0
    async for request in requests:
        kind = request.WhichOneof("payload")
        if kind == "header":
            if header is not None:
                raise InvalidFieldError("header", "comes once, first")
            header = request.header
        elif kind == "chunk":
            if header is None:
                raise InvalidFieldError("header", "must be the first message")
            rules.between("chunk.items", len(request.chunk.items), 1, rules.MAX_CHUNK_ITEMS)
            items.extend(request.chunk.items)
            size += request.ByteSize()
            if len(items) > most:
                raise InvalidFieldError("items", f"are more than {most}")
            if size > rules.MAX_CALL_BYTES:
                raise InvalidFieldError("items", f"have more than {rules.MAX_CALL_BYTES} bytes")
        else:
            raise InvalidFieldError("payload", "is empty")
    if not isinstance(header, header_type):
        raise InvalidFieldError("header", "is missing")
    if not items:
        raise InvalidFieldError("items", "are none")
    return header, items
