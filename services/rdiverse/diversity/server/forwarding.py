"""A read replica: reads from the shared memory, hands writes to the writer."""

from collections.abc import AsyncIterator, Awaitable
from typing import Any, TypeVar

import grpc
import grpc.aio
from grpc_status import rpc_status

from rdiverse.diversity.memory.protocol import Memory
from rdiverse.diversity.sam.embedder import SamEmbedder
from rdiverse.diversity.server.requests import remaining_seconds
from rdiverse.diversity.server.servicer import DiversityServicer
from rdiverse.grpcio_kit.access_tokens import AccessTokens
from rdiverse.grpcio_kit.channels import aio_channel
from rdiverse.grpcio_kit.errors import DependencyUnavailableError
from rdiverse.v1 import diversity_pb2 as pb
from rdiverse.v1.diversity_pb2_grpc import DiversityServiceStub

T = TypeVar("T")


class ReplicaServicer(DiversityServicer):
    """Commit, Rollback and DeleteRun go to the writer; what it answers, errors included, is passed on."""

    def __init__(self, sam: SamEmbedder, memory: Memory, writer_address: str, tokens: AccessTokens | None = None) -> None:
        super().__init__(sam, memory, tokens)
        self._writer = DiversityServiceStub(aio_channel(writer_address))

    async def Commit(self, request_iterator: AsyncIterator[pb.CommitRequest], context: Any) -> pb.CommitResponse:  # noqa: N802
        """See the writer."""
        return await _passed_on(self._writer.Commit(request_iterator, **_call(context)), context)

    async def Rollback(self, request: pb.RollbackRequest, context: Any) -> pb.RollbackResponse:  # noqa: N802
        """See the writer."""
        return await _passed_on(self._writer.Rollback(request, **_call(context)), context)

    async def DeleteRun(self, request: pb.DeleteRunRequest, context: Any) -> pb.DeleteRunResponse:  # noqa: N802
        """See the writer."""
        return await _passed_on(self._writer.DeleteRun(request, **_call(context)), context)


def _call(context: Any) -> dict[str, Any]:
    """The caller's time and token hold for the writer too."""
    token = [(key, value) for key, value in context.invocation_metadata() or () if key == "authorization"]
    return {"timeout": remaining_seconds(context), "metadata": tuple(token)}


async def _passed_on(call: Awaitable[T], context: Any) -> T:
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        try:
            status = rpc_status.from_call(error)  # type: ignore[arg-type]
        except ValueError:
            status = None
        if status is None:
            raise DependencyUnavailableError("writer", f"does not answer ({error.code().name})") from error
        await context.abort_with_status(rpc_status.to_status(status))
        raise
