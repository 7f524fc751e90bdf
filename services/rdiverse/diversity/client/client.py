"""The two clients of the diversity service: one that waits and one for asyncio."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial, wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, Self, TypeVar

import grpc
import grpc.aio

from rdiverse.diversity.client import calls
from rdiverse.diversity.client.calls import Call
from rdiverse.grpcio_kit.access_tokens import client_metadata
from rdiverse.grpcio_kit.channels import aio_channel
from rdiverse.grpcio_kit.client import RETRY_SECONDS, Backoff, Caller, RpcFailure
from rdiverse.grpcio_kit.tls import TlsFolder
from rdiverse.v1.diversity_pb2_grpc import DiversityServiceStub

P = ParamSpec("P")
R = TypeVar("R")
_SERVICE = "DiversityService."


def _blocking(build: Callable[P, Call[R]]) -> "Callable[Concatenate[DiversityClient, P], R]":
    """A method with the arguments of a call, that makes it and waits."""

    @wraps(build)
    def method(client: "DiversityClient", /, *args: P.args, **kwargs: P.kwargs) -> R:
        return client._make(build(*args, **kwargs))

    return method


def _awaited(build: Callable[P, Call[R]]) -> "Callable[Concatenate[AsyncDiversityClient, P], Awaitable[R]]":
    """A method with the arguments of a call, that makes it and is to be awaited."""

    @wraps(build)
    async def method(client: "AsyncDiversityClient", /, *args: P.args, **kwargs: P.kwargs) -> R:
        return await client._make(build(*args, **kwargs))

    return method


class DiversityClient:
    """Blocking calls. Certificates and token come from the arguments, else from RDIVERSE_TLS_DIR and RDIVERSE_TOKEN_FILE.

    Each call has a deadline (`timeout`, seconds) and raises RpcFailure. UNAVAILABLE is tried again for a bounded time,
    except by `delete_run`.
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

    score = _blocking(calls.score)
    commit = _blocking(calls.commit)
    sample_replay = _blocking(calls.sample_replay)
    find_neighbors = _blocking(calls.find_neighbors)
    get_stats = _blocking(calls.get_stats)
    rollback = _blocking(calls.rollback)
    delete_run = _blocking(calls.delete_run)
    list_runs = _blocking(calls.list_runs)

    def _make(self, call: Call[R]) -> R:
        method = getattr(self._stub, call.method)
        make = self._caller.idempotent if call.repeatable else self._caller.once
        return make(
            _SERVICE + call.method,
            lambda seconds: call.read(method(call.request(), timeout=seconds, metadata=self._token())),
            call.timeout,
        )


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

    score = _awaited(calls.score)
    commit = _awaited(calls.commit)
    sample_replay = _awaited(calls.sample_replay)
    find_neighbors = _awaited(calls.find_neighbors)
    get_stats = _awaited(calls.get_stats)
    rollback = _awaited(calls.rollback)
    delete_run = _awaited(calls.delete_run)
    list_runs = _awaited(calls.list_runs)

    async def _make(self, call: Call[R]) -> R:
        begin, backoff = time.monotonic(), Backoff(min(call.timeout, self._retry_seconds) if call.repeatable else 0)
        while True:
            try:
                return await self._once(call, call.timeout - (time.monotonic() - begin))
            except RpcFailure as failure:
                await asyncio.sleep(backoff.pause_after(failure))

    async def _once(self, call: Call[R], seconds: float) -> R:
        method = getattr(self._stub, call.method)
        try:
            answer = method(call.request(), timeout=seconds, metadata=self._token())
            return call.read([response async for response in answer] if call.answer_streams else await answer)
        except grpc.aio.AioRpcError as error:
            raise RpcFailure(_SERVICE + call.method, self._address, error) from None
