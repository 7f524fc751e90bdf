"""KServe's Open Inference Protocol (gRPC v2) beside the typed services.

The kserve package takes seconds and much memory to import, so it is imported when the first such call comes, in a thread.
"""

import asyncio
import sys
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from rdiverse.grpcio_kit.errors import UndecodableError
from rdiverse.inference.host import ModelHost

SERVICE = "inference.GRPCInferenceService"
METHODS = (
    "ServerLive", "ServerReady", "ServerMetadata", "ModelReady", "ModelMetadata", "ModelInfer", "RepositoryModelLoad",
    "RepositoryModelUnload",
)  # fmt: skip


class OpenInference(grpc.GenericRpcHandler):
    """Hands the protocol's calls to kserve's own servicer, with the host's model behind it."""

    def __init__(self, host: ModelHost) -> None:
        self._host = host
        self._handlers: dict[str, Any] | None = None
        self._loading = asyncio.Lock()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """The handler of one of the protocol's methods; None for any other."""
        service, _, method = handler_call_details.method.lstrip("/").partition("/")
        if service != SERVICE or method not in METHODS:
            return None

        async def answer(data: bytes, context: Any) -> bytes:
            handler = (await self._all())[method]
            try:
                request = handler.request_deserializer(data)
            except DecodeError:
                raise UndecodableError(f"{SERVICE}/{method}") from None
            response: bytes = handler.response_serializer(await handler.unary_unary(request, context))
            return response

        return grpc.unary_unary_rpc_method_handler(answer)

    async def _all(self) -> dict[str, Any]:
        async with self._loading:
            if self._handlers is None:
                self._handlers = await asyncio.to_thread(_import_handlers, self._host)
            return self._handlers


def _import_handlers(host: ModelHost) -> dict[str, Any]:
    # kserve reads the command line when it is imported, and ends the process over arguments that are not its own.
    arguments, sys.argv = sys.argv, sys.argv[:1]
    try:
        from rdiverse.inference.servicers.kserve_servicer import handlers
    finally:
        sys.argv = arguments
    return handlers(host)
