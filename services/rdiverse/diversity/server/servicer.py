"""DiversityService: translates messages, authorises callers, limits what they ask. What is done is told in `scoring`."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from rdiverse.diversity import metrics
from rdiverse.diversity.memory.protocol import Memory
from rdiverse.diversity.memory.reader import MemoryReader, in_pool
from rdiverse.diversity.sam.embedder import SamEmbedder
from rdiverse.diversity.scoring.committer import Committer
from rdiverse.diversity.scoring.scorer import Scorer
from rdiverse.diversity.server import rules
from rdiverse.diversity.server.faults import translated
from rdiverse.diversity.server.messages import (
    commit_query,
    memory_item,
    neighbors_response,
    score_query,
    score_responses,
    stats_response,
)
from rdiverse.diversity.server.requests import read_batch, remaining_seconds
from rdiverse.grpcio_kit.access_tokens import EVERYTHING, AccessTokens, Scope, Verb
from rdiverse.v1 import diversity_pb2 as pb
from rdiverse.v1.diversity_pb2_grpc import DiversityServiceServicer

_REPLAY_AT_ONCE = 1000
_COMPUTING = 2
_FEW = 32

T = TypeVar("T")


class DiversityServicer(DiversityServiceServicer):
    """Answers from one memory. With `tokens`, callers reach the runs that their token's scope names."""

    def __init__(self, sam: SamEmbedder, memory: Memory, tokens: AccessTokens | None = None) -> None:
        self._tokens = tokens
        self._memory = memory
        # Few threads that compute: each of them competes with the one that answers health checks.
        self._computing = ThreadPoolExecutor(_COMPUTING, "compute")
        # One that writes: writes go one after another anyway, and must not hold up reads.
        self._writing = ThreadPoolExecutor(1, "write")
        self._reads = MemoryReader(memory)
        self._scorer = Scorer(sam, self._reads, self._computing)
        self._committer = Committer(sam, memory, self._reads, self._computing, self._writing)

    async def Score(self, request_iterator: Any, context: Any) -> AsyncIterator[pb.ScoreResponse]:  # noqa: N802
        """Reads only."""
        with translated():
            header, items = await read_batch(request_iterator, pb.ScoreHeader, rules.MAX_SCORE_ITEMS)
            self._authorise(context, rules.run("header.run", header.run), "read")
            query = await self._off_loop(len(items), score_query, header, items)
            scored = await self._scorer.score(query, partial(remaining_seconds, context))
            for response in await self._off_loop(len(items), score_responses, header, scored):
                yield response

    async def Commit(self, request_iterator: Any, context: Any) -> pb.CommitResponse:  # noqa: N802
        """All or nothing."""
        with translated(), metrics.COMMIT_SECONDS.time():
            header, items = await read_batch(request_iterator, pb.CommitHeader, rules.MAX_COMMIT_ITEMS)
            self._authorise(context, rules.run("header.run", header.run), "write")
            query = await self._off_loop(len(items), commit_query, header, items)
            ledger, already = await self._committer.commit(query, partial(remaining_seconds, context))
            metrics.MEMORY_ITEMS.labels(query.run).set(ledger.items)
            return pb.CommitResponse(revision=str(ledger.revision), items=len(items), already_committed=already)

    async def SampleReplay(self, request: pb.SampleReplayRequest, context: Any) -> AsyncIterator[pb.SampleReplayResponse]:  # noqa: N802
        """Uniform without replacement."""
        with translated():
            self._authorise(context, rules.run("run", request.run), "read")
            before = rules.between("before_iteration", request.before_iteration, 1, rules.MAX_ITERATION + 1)
            count = rules.between("count", request.count, 1, rules.MAX_REPLAY)
            min_revision = rules.revision("min_revision", request.min_revision)
            ledger = await self._reads.existing(request.run, remaining_seconds(context), min_revision)
            keys = await self._reads.draw_replay(ledger, before, count, request.seed)
            for start in range(0, max(len(keys), 1), _REPLAY_AT_ONCE):
                some = keys[start : start + _REPLAY_AT_ONCE]
                records = await self._reads.records(ledger, some, remaining_seconds(context))
                yield pb.SampleReplayResponse(items=map(memory_item, records), revision=str(ledger.revision))

    async def FindNeighbors(self, request: pb.FindNeighborsRequest, context: Any) -> pb.FindNeighborsResponse:  # noqa: N802
        """Nearest first."""
        with translated("item"):
            self._authorise(context, rules.run("run", request.run), "read")
            before = rules.between("before_iteration", request.before_iteration, 1, rules.MAX_ITERATION + 1)
            item = rules.item("item", request.item)
            count = rules.between("count", request.count, 1, rules.MAX_NEIGHBORS)
            min_revision = rules.revision("min_revision", request.min_revision)
            remaining = partial(remaining_seconds, context)
            return neighbors_response(await self._scorer.neighbors(request.run, item, before, count, min_revision, remaining))

    async def GetStats(self, request: pb.GetStatsRequest, context: Any) -> pb.GetStatsResponse:  # noqa: N802
        """What is committed."""
        with translated():
            self._authorise(context, rules.run("run", request.run), "read")
            min_revision = rules.revision("min_revision", request.min_revision)
            return stats_response(await self._reads.existing(request.run, remaining_seconds(context), min_revision))

    async def Rollback(self, request: pb.RollbackRequest, context: Any) -> pb.RollbackResponse:  # noqa: N802
        """Drop the iterations after one."""
        with translated():
            self._authorise(context, rules.run("run", request.run), "write")
            to_iteration = rules.between("to_iteration", request.to_iteration, 0, rules.MAX_ITERATION)
            ledger, dropped = await self._write(context, self._memory.rollback, request.run, to_iteration)
            metrics.MEMORY_ITEMS.labels(request.run).set(ledger.items)
            return pb.RollbackResponse(revision=str(ledger.revision), dropped=dropped)

    async def DeleteRun(self, request: pb.DeleteRunRequest, context: Any) -> pb.DeleteRunResponse:  # noqa: N802
        """Drop a run."""
        with translated():
            self._authorise(context, rules.run("run", request.run), "write")
            items = await self._write(context, self._memory.delete, request.run)
            metrics.MEMORY_ITEMS.remove(request.run)
            return pb.DeleteRunResponse(items=items)

    async def ListRuns(self, request: pb.ListRunsRequest, context: Any) -> pb.ListRunsResponse:  # noqa: ARG002, N802
        """All runs that the caller may read."""
        with translated():
            found = await self._reads.ledgers(remaining_seconds(context))
            scope = self._scope(context)
            runs = [
                pb.RunSummary(run=ledger.run, last_iteration=ledger.last_iteration, items=ledger.items)
                for ledger in found
                if scope.allows(ledger.run, "read")
            ]
            return pb.ListRunsResponse(runs=runs)

    def _scope(self, context: Any) -> Scope:
        return self._tokens.scope(context.invocation_metadata()) if self._tokens else EVERYTHING

    def _authorise(self, context: Any, run: str, verb: Verb) -> None:
        self._scope(context).check(run, verb)

    async def _write(self, context: Any, call: Callable[..., T], *arguments: Any) -> T:
        return await in_pool(self._writing, remaining_seconds(context), call, *arguments)

    async def _off_loop(self, items: int, call: Callable[..., T], *arguments: Any) -> T:
        """Translate in a thread, so that a large batch holds up nobody; a few items are done sooner than handed over."""
        if items <= _FEW:
            return call(*arguments)
        return await asyncio.get_running_loop().run_in_executor(self._computing, call, *arguments)
