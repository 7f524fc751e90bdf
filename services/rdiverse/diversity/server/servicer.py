"""DiversityService: reads messages, checks their fields, asks SAM and the memory, writes messages."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import grpc
import grpc.aio
import numpy as np
from numpy.typing import NDArray

from rdiverse.diversity import metrics
from rdiverse.diversity.memory.ledger import Batch, Ledger, Record, check_compatible, committed
from rdiverse.diversity.memory.protocol import Key, Memory, Seen
from rdiverse.diversity.memory.reads import Reads, in_pool
from rdiverse.diversity.sam.sam import Embedded, Given, Representation, Sam
from rdiverse.diversity.scoring import clusters, penalties
from rdiverse.diversity.server import rules
from rdiverse.diversity.server.faults import translated, unknown_run
from rdiverse.diversity.server.messages import ORIGINS, memory_item, read_constants, score_responses
from rdiverse.diversity.server.requests import given as read_items
from rdiverse.diversity.server.requests import left, read_batch
from rdiverse.grpcio_kit.access_tokens import EVERYTHING, Scope, Tokens, Verb
from rdiverse.grpcio_kit.errors import InvalidFieldError, ServiceError
from rdiverse.selfplay.rewards import PenaltyConstants
from rdiverse.v1 import diversity_pb2 as pb
from rdiverse.v1.diversity_pb2_grpc import DiversityServiceServicer
from rdiverse.v1.errors_pb2 import ErrorReason

_REPLAY_AT_ONCE = 1000
_COMPUTING = 2
_FEW = 32
_TURNS = 8
"""Calls that search and compute at once. The others wait before it: all going on together would hold up health checks."""

T = TypeVar("T")


class DiversityServicer(DiversityServiceServicer):
    """Answers from one memory. With `tokens`, callers reach the runs that their token's scope names."""

    def __init__(self, sam: Sam, memory: Memory, tokens: Tokens | None = None) -> None:
        self._sam = sam
        self._tokens = tokens
        self._memory = memory
        # Few threads that compute: each of them competes with the one that answers health checks.
        self._computing = ThreadPoolExecutor(_COMPUTING, "compute")
        # One that writes: writes go one after another anyway, and must not hold up reads.
        self._writing = ThreadPoolExecutor(1, "write")
        self._reads = Reads(memory)
        self._turns = asyncio.Semaphore(int(__import__("os").environ.get("TURNS", "16")))

    async def Score(self, request_iterator: Any, context: Any) -> AsyncIterator[pb.ScoreResponse]:  # noqa: N802
        """Reads only."""
        with translated():
            header, items = await read_batch(request_iterator, pb.ScoreHeader, rules.MAX_SCORE_ITEMS)
            run = self._allowed(context, rules.run("header.run", header.run), "read")
            before = rules.between("header.before_iteration", header.before_iteration, 0, rules.MAX_ITERATION + 1)
            constants = read_constants(header.penalty)
            representation = rules.representation("header.representation", header.representation)
            given = await self._given(items, rules.item)
            ledger = await self._ledger(run, header.min_revision, context)
            entries = ledger.before(before) if ledger is not None else ()
            dimension = ledger.dimension if ledger is not None and entries else 0
            rules.same_dimension(given, dimension)
            embedded, version = await self._embedded(
                given, representation, context,
                needed=bool(entries) or header.penalty.distance != pb.DISTANCE_BLEU
                or header.return_programs or header.return_vectors,
            )  # fmt: skip
            await self._check_embedded(given, embedded, ledger if entries else None, representation)
            async with self._turns:
                responses = await self._answered(header, ledger, given, embedded, constants, context)
            for response in responses:
                response.embedding_version = version
                yield response

    async def Commit(self, request_iterator: Any, context: Any) -> pb.CommitResponse:  # noqa: N802
        """All or nothing."""
        with translated(), metrics.COMMIT_SECONDS.time():
            header, items = await read_batch(request_iterator, pb.CommitHeader, rules.MAX_COMMIT_ITEMS)
            run = self._allowed(context, rules.run("header.run", header.run), "write")
            iteration = rules.between("header.iteration", header.iteration, 1, rules.MAX_ITERATION)
            digest = rules.digest("header.digest", header.digest)
            representation = rules.representation("header.representation", header.representation)
            given = await self._given(items, rules.committed_item)
            ledger = await self._ledger(run, "", context)
            if committed(ledger, run, iteration, digest) and ledger is not None:
                return pb.CommitResponse(revision=str(ledger.revision), items=len(items), already_committed=True)
            rules.same_dimension(given, ledger.dimension if ledger is not None and ledger.entries else 0)
            embedded, _ = await self._embedded(given, representation, context)
            await self._check_embedded(given, embedded, None, representation)
            vectors, records = await self._compute(_rows, items, embedded)
            batch = Batch(iteration, digest, representation, await self._encoder_of(given, representation), vectors, records)
            following, already = await in_pool(self._writing, left(context), self._memory.commit, run, batch)
            metrics.MEMORY_ITEMS.labels(run).set(following.items)
            return pb.CommitResponse(revision=str(following.revision), items=len(items), already_committed=already)

    async def SampleReplay(self, request: pb.SampleReplayRequest, context: Any) -> AsyncIterator[pb.SampleReplayResponse]:  # noqa: N802
        """Uniform without replacement."""
        with translated():
            run = self._allowed(context, rules.run("run", request.run), "read")
            before = rules.between("before_iteration", request.before_iteration, 1, rules.MAX_ITERATION + 1)
            count = rules.between("count", request.count, 1, rules.MAX_REPLAY)
            ledger = await self._known(run, request.min_revision, context)
            keys = await self._reads.drawn(ledger, before, count, request.seed)
            for start in range(0, max(len(keys), 1), _REPLAY_AT_ONCE):
                some = keys[start : start + _REPLAY_AT_ONCE]
                records = await self._reads.records(ledger, some, left(context))
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
            async with self._turns:
                found = (await self._reads.seen(ledger, before, [embedded.vector], count, left(context))).nearest
                records = await self._reads.records(ledger, found.keys[0], left(context))
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
            ledger, dropped = await in_pool(self._writing, left(context), self._memory.rollback, run, to_iteration)
            metrics.MEMORY_ITEMS.labels(run).set(ledger.items)
            return pb.RollbackResponse(revision=str(ledger.revision), dropped=dropped)

    async def DeleteRun(self, request: pb.DeleteRunRequest, context: Any) -> pb.DeleteRunResponse:  # noqa: N802
        """Drop a run."""
        with translated():
            run = self._allowed(context, rules.run("run", request.run), "write")
            items = await in_pool(self._writing, left(context), self._memory.delete, run)
            metrics.MEMORY_ITEMS.remove(run)
            return pb.DeleteRunResponse(items=items)

    async def ListRuns(self, request: pb.ListRunsRequest, context: Any) -> pb.ListRunsResponse:  # noqa: ARG002, N802
        """All runs that the caller may read."""
        with translated():
            found = await self._reads.ledgers(left(context))
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
        ledger = await self._reads.ledger(run, left(context))
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

    async def _answered(
        self, header: pb.ScoreHeader, ledger: Ledger | None, given: Sequence[Given], embedded: Sequence[Embedded],
        constants: PenaltyConstants, context: Any,
    ) -> list[pb.ScoreResponse]:  # fmt: skip
        """The answer to Score. Clusters are made while the search runs."""
        labels = self._computing.submit(
            clusters, [item.question for item in given], embedded, constants.cluster_threshold,
            bleu=header.penalty.distance == pb.DISTANCE_BLEU,
        )  # fmt: skip
        try:
            batch = pb.ScoreResponse(batch_size=len(given), revision=str(ledger.revision) if ledger else "")
            seen, nearest = None, {}
            if ledger is not None and ledger.before(header.before_iteration):
                vectors = [item.vector for item in embedded if item.vector is not None]
                seen = await self._reads.seen(ledger, header.before_iteration, vectors, 1, left(context))
                batch.memory_items = seen.count
                if header.return_nearest:
                    keys = list(dict.fromkeys(keys[0] for keys in seen.nearest.keys))
                    nearest = dict(zip(keys, await self._reads.records(ledger, keys, left(context)), strict=True))
            return await self._compute(_answer, header, batch, embedded, labels, seen, constants, nearest)
        finally:
            labels.cancel()  # a caller who left needs none

    async def _given(self, items: Sequence[pb.Item], check: Callable[[str, pb.Item], Given]) -> list[Given]:
        # Few are checked sooner than handed to a thread.
        return read_items(items, check) if len(items) <= _FEW else await self._compute(read_items, items, check)

    async def _compute(self, call: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._computing, call, *arguments)


def _answer(
    header: pb.ScoreHeader, batch: pb.ScoreResponse, embedded: Sequence[Embedded], clustered: "Future[list[int]]",
    seen: Seen | None, constants: PenaltyConstants, nearest: Mapping[Key, Record],
) -> list[pb.ScoreResponse]:  # fmt: skip
    """The results, once the clusters are known, which were begun before this."""
    labels = clustered.result()
    batch.clusters = len({label for label in labels if label >= 0})
    metrics.BATCH_ITEMS.observe(batch.batch_size)
    metrics.CLUSTERS.observe(batch.clusters)
    return list(score_responses(header, batch, embedded, penalties(embedded, labels, seen, constants), nearest))


def _rows(items: Sequence[pb.Item], embedded: Sequence[Embedded]) -> tuple[NDArray[np.float32], list[Record]]:
    """What is committed of items. Raises InvalidFieldError for one that could not be embedded."""
    vectors = []
    for index, item in enumerate(embedded):
        if item.vector is None:
            raise InvalidFieldError(f"items[{index}]", f"cannot be embedded: {item.failure}")
        vectors.append(item.vector)
    records = [Record(item.question, made.program, item.answer, item.share) for item, made in zip(items, embedded, strict=True)]
    return np.stack(vectors), records
