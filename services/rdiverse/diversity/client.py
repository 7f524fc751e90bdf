# ruff: noqa: ASYNC109  the deadline travels with the call; asyncio.timeout would not tell the server
"""The client of the diversity service, for any program. Imports only grpc, the stubs and numpy.

client = DiversityClient("127.0.0.1:50051")
batch = client.score("my-run", ["What is 2 + 3?", "What is 4 * 5?"], before_iteration=2)
print([score.p_rep for score in batch.scores])
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

import grpc
import grpc.aio

from rdiverse.diversity.client_types import (
    BatchScore,
    Committed,
    Distance,
    Item,
    MemoryItem,
    Neighbors,
    Penalty,
    PenaltyLike,
    Replay,
    Representation,
    Run,
    Score,
    Stats,
    commit_requests,
    items_digest,
    neighbors_request,
    read_neighbors,
    read_replay,
    read_scores,
    read_stats,
    replay_request,
    score_requests,
)
from rdiverse.grpcio_kit.aio_client import aio_channel, aio_failure
from rdiverse.grpcio_kit.client import RETRY_SECONDS, Caller, RpcFailure
from rdiverse.grpcio_kit.tls import TlsFolder
from rdiverse.grpcio_kit.tokens import client_metadata
from rdiverse.v1 import diversity_pb2 as pb
from rdiverse.v1.diversity_pb2_grpc import DiversityServiceStub

__all__ = [
    "AsyncDiversityClient", "BatchScore", "Committed", "Distance", "DiversityClient", "Item", "MemoryItem", "Neighbors",
    "Penalty", "PenaltyLike", "Replay", "Representation", "RpcFailure", "Run", "Score", "Stats", "items_digest",
]  # fmt: skip

T = TypeVar("T")
_SERVICE = "DiversityService."


class DiversityClient:
    """Blocking calls. Certificates and token come from the arguments, else from RDIVERSE_TLS_DIR and RDIVERSE_TOKEN_FILE.

    Each call has a deadline (`timeout`, seconds) and raises RpcFailure.

    UNAVAILABLE is tried again for a bounded time, except by `delete_run`, which cannot tell a lost answer from a run that
    is not there. `commit` may be: the same digest again is the same answer.
    """

    def __init__(
        self, address: str, tls: TlsFolder | None = None, token_file: Path | None = None, retry_seconds: float = RETRY_SECONDS
    ) -> None:
        self._token = partial(client_metadata, token_file)
        self._caller = Caller(address, tls, retry_seconds)
        self._stub = DiversityServiceStub(self._caller.channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the channel."""
        self._caller.close()

    def score(
        self,
        run: str,
        questions: Sequence[str | Item],
        before_iteration: int,
        *,
        penalty: PenaltyLike | None = None,
        distance: Distance = "cosine",
        representation: Representation = "program",
        return_programs: bool = False,
        return_vectors: bool = False,
        return_nearest: bool = False,
        min_revision: str = "",
        timeout: float = 600,
    ) -> BatchScore:
        """Penalties of one batch (at most 8192 items), in its order, against items of iterations < `before_iteration`."""
        requests = score_requests(
            run, questions, before_iteration, penalty, distance, representation, min_revision,
            return_programs=return_programs, return_vectors=return_vectors, return_nearest=return_nearest,
        )  # fmt: skip
        return self._again(
            "Score", lambda left: read_scores(self._stub.Score(iter(requests), timeout=left, metadata=self._token())), timeout
        )

    def commit(
        self,
        run: str,
        iteration: int,
        items: Sequence[Item],
        *,
        digest: str | None = None,
        representation: Representation = "program",
        timeout: float = 600,
    ) -> Committed:
        """Add an iteration (at most 50,000 items). `digest` None: made from the items. Returns when durable and visible."""
        requests = commit_requests(run, iteration, items, digest or items_digest(items), representation)
        response = self._again(
            "Commit", lambda left: self._stub.Commit(iter(requests), timeout=left, metadata=self._token()), timeout
        )
        return Committed(response.revision, response.items, response.already_committed)

    def sample_replay(
        self, run: str, before_iteration: int, count: int, seed: int, *, min_revision: str = "", timeout: float = 600
    ) -> Replay:
        """Draw items of iterations < `before_iteration`, uniformly without replacement; fewer when there are fewer."""
        request = replay_request(run, before_iteration, count, seed, min_revision)
        return self._again(
            "SampleReplay",
            lambda left: read_replay(self._stub.SampleReplay(request, timeout=left, metadata=self._token())),
            timeout,
        )

    def find_neighbors(
        self,
        run: str,
        question: str | Item,
        before_iteration: int,
        count: int = 5,
        *,
        min_revision: str = "",
        timeout: float = 60,
    ) -> Neighbors:
        """The nearest remembered items, nearest first: why is this question called a repeat?"""
        request = neighbors_request(run, question, before_iteration, count, min_revision)
        return read_neighbors(
            self._again(
                "FindNeighbors", lambda left: self._stub.FindNeighbors(request, timeout=left, metadata=self._token()), timeout
            )
        )

    def get_stats(self, run: str, *, min_revision: str = "", timeout: float = 30) -> Stats:
        """What a run's memory holds."""
        request = pb.GetStatsRequest(run=run, min_revision=min_revision)
        return read_stats(
            self._again("GetStats", lambda left: self._stub.GetStats(request, timeout=left, metadata=self._token()), timeout)
        )

    def rollback(self, run: str, to_iteration: int, *, timeout: float = 120) -> tuple[str, list[int]]:
        """Drop iterations after `to_iteration`. Returns the revision and what was dropped."""
        request = pb.RollbackRequest(run=run, to_iteration=to_iteration)
        response = self._again(
            "Rollback", lambda left: self._stub.Rollback(request, timeout=left, metadata=self._token()), timeout
        )
        return response.revision, list(response.dropped)

    def delete_run(self, run: str, *, timeout: float = 120) -> int:
        """Drop a run's memory. Returns the number of items dropped."""
        request = pb.DeleteRunRequest(run=run)
        response = self._caller.once(
            _SERVICE + "DeleteRun", lambda left: self._stub.DeleteRun(request, timeout=left, metadata=self._token()), timeout
        )
        return int(response.items)

    def list_runs(self, *, timeout: float = 30) -> list[Run]:
        """All runs that have a memory, by name."""
        response = self._again(
            "ListRuns", lambda left: self._stub.ListRuns(pb.ListRunsRequest(), timeout=left, metadata=self._token()), timeout
        )
        return [Run(run.run, run.last_iteration, run.items) for run in response.runs]

    def _again(self, method: str, call: Callable[[float], T], timeout: float) -> T:
        return self._caller.idempotent(_SERVICE + method, call, timeout)


class AsyncDiversityClient:
    """The same calls, to be awaited. To be made inside a running event loop."""

    def __init__(
        self, address: str, tls: TlsFolder | None = None, token_file: Path | None = None, retry_seconds: float = RETRY_SECONDS
    ) -> None:
        self._token = partial(client_metadata, token_file)
        self._address = address
        self._retry_seconds = retry_seconds
        self._channel = aio_channel(address, tls)
        self._stub = DiversityServiceStub(self._channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close()

    async def score(
        self,
        run: str,
        questions: Sequence[str | Item],
        before_iteration: int,
        *,
        penalty: PenaltyLike | None = None,
        distance: Distance = "cosine",
        representation: Representation = "program",
        return_programs: bool = False,
        return_vectors: bool = False,
        return_nearest: bool = False,
        min_revision: str = "",
        timeout: float = 600,
    ) -> BatchScore:
        """See DiversityClient.score."""
        requests = score_requests(
            run, questions, before_iteration, penalty, distance, representation, min_revision,
            return_programs=return_programs, return_vectors=return_vectors, return_nearest=return_nearest,
        )  # fmt: skip

        async def call(left: float) -> BatchScore:
            return read_scores(
                [response async for response in self._stub.Score(iter(requests), timeout=left, metadata=self._token())]
            )

        return await self._again("Score", call, timeout)

    async def commit(
        self,
        run: str,
        iteration: int,
        items: Sequence[Item],
        *,
        digest: str | None = None,
        representation: Representation = "program",
        timeout: float = 600,
    ) -> Committed:
        """See DiversityClient.commit."""
        requests = commit_requests(run, iteration, items, digest or items_digest(items), representation)
        response = await self._again(
            "Commit", lambda left: self._stub.Commit(iter(requests), timeout=left, metadata=self._token()), timeout
        )
        return Committed(response.revision, response.items, response.already_committed)

    async def sample_replay(
        self, run: str, before_iteration: int, count: int, seed: int, *, min_revision: str = "", timeout: float = 600
    ) -> Replay:
        """See DiversityClient.sample_replay."""
        request = replay_request(run, before_iteration, count, seed, min_revision)

        async def call(left: float) -> Replay:
            return read_replay(
                [response async for response in self._stub.SampleReplay(request, timeout=left, metadata=self._token())]
            )

        return await self._again("SampleReplay", call, timeout)

    async def find_neighbors(
        self,
        run: str,
        question: str | Item,
        before_iteration: int,
        count: int = 5,
        *,
        min_revision: str = "",
        timeout: float = 60,
    ) -> Neighbors:
        """See DiversityClient.find_neighbors."""
        request = neighbors_request(run, question, before_iteration, count, min_revision)
        call = lambda left: self._stub.FindNeighbors(request, timeout=left, metadata=self._token())  # noqa: E731
        return read_neighbors(await self._again("FindNeighbors", call, timeout))

    async def get_stats(self, run: str, *, min_revision: str = "", timeout: float = 30) -> Stats:
        """See DiversityClient.get_stats."""
        request = pb.GetStatsRequest(run=run, min_revision=min_revision)
        return read_stats(
            await self._again(
                "GetStats", lambda left: self._stub.GetStats(request, timeout=left, metadata=self._token()), timeout
            )
        )

    async def rollback(self, run: str, to_iteration: int, *, timeout: float = 120) -> tuple[str, list[int]]:
        """See DiversityClient.rollback."""
        request = pb.RollbackRequest(run=run, to_iteration=to_iteration)
        response = await self._again(
            "Rollback", lambda left: self._stub.Rollback(request, timeout=left, metadata=self._token()), timeout
        )
        return response.revision, list(response.dropped)

    async def delete_run(self, run: str, *, timeout: float = 120) -> int:
        """See DiversityClient.delete_run."""
        request = pb.DeleteRunRequest(run=run)
        return int(
            (
                await self._once(
                    "DeleteRun", lambda left: self._stub.DeleteRun(request, timeout=left, metadata=self._token()), timeout
                )
            ).items
        )

    async def list_runs(self, *, timeout: float = 30) -> list[Run]:
        """See DiversityClient.list_runs."""
        response = await self._again(
            "ListRuns", lambda left: self._stub.ListRuns(pb.ListRunsRequest(), timeout=left, metadata=self._token()), timeout
        )
        return [Run(run.run, run.last_iteration, run.items) for run in response.runs]

    async def _once(self, method: str, call: Callable[[float], Awaitable[T]], timeout: float) -> T:
        try:
            return await call(timeout)
        except grpc.aio.AioRpcError as error:
            raise aio_failure(_SERVICE + method, self._address, error) from None

    async def _again(self, method: str, call: Callable[[float], Awaitable[T]], timeout: float) -> T:
        begin, pause = time.monotonic(), 0.1
        while True:
            try:
                return await self._once(method, call, timeout - (time.monotonic() - begin))
            except RpcFailure as failure:
                left = min(timeout, self._retry_seconds) - (time.monotonic() - begin)
                if failure.code is not grpc.StatusCode.UNAVAILABLE or left <= pause:
                    raise
            await asyncio.sleep(pause)
            pause = min(2 * pause, 2.0)
