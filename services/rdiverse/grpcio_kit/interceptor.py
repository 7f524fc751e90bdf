"""One interceptor around every method: decoding faults, errors and limits become statuses that a caller can read."""

import contextlib
import logging
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from grpc_status import rpc_status

from rdiverse.grpcio_kit.errors import InternalError, OverloadedError, ServiceError, UndecodableError

log = logging.getLogger(__name__)

_Continuation = Callable[[grpc.HandlerCallDetails], Awaitable["grpc.RpcMethodHandler[Any, Any] | None"]]


class _Undecodable:
    """Stands for a request whose bytes could not be read: a deserialiser has no way to give a status."""

    def __init__(self, message_type: str) -> None:
        self.message_type = message_type


class ServiceInterceptor(grpc.aio.ServerInterceptor):
    """Turns ServiceError into google.rpc.Status, other exceptions into INTERNAL with an incident number, and keeps limits.

    `limits` caps the calls that run at once, by full method name (`/package.Service/Method`); a method without one,
    health checks among them, is never turned away.
    """

    def __init__(self, limits: Mapping[str, int] | None = None) -> None:
        self._limits = dict(limits or {})
        self._running: Counter[str] = Counter()

    async def intercept_service(
        self, continuation: _Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """Wrap the method's handler. An inner interceptor may raise ServiceError instead of giving a handler."""
        method = handler_call_details.method
        try:
            handler = await continuation(handler_call_details)
        except ServiceError as error:
            return grpc.stream_unary_rpc_method_handler(_refusing(error))
        return None if handler is None else self._wrapped(handler, method)

    def _wrapped(self, handler: Any, method: str) -> "grpc.RpcMethodHandler[Any, Any]":
        make = getattr(
            grpc,
            f"{'stream' if handler.request_streaming else 'unary'}_{'stream' if handler.response_streaming else 'unary'}"
            "_rpc_method_handler",
        )
        behaviour = (
            handler.stream_stream or handler.stream_unary or handler.unary_stream or handler.unary_unary
        )  # exactly one is set
        wrap = self._streaming if handler.response_streaming else self._single
        deserialiser = _tolerant(handler.request_deserializer)
        return make(  # type: ignore[no-any-return]
            wrap(behaviour, method, request_streaming=handler.request_streaming), deserialiser, handler.response_serializer
        )

    def _single(self, behaviour: Any, method: str, *, request_streaming: bool) -> Any:
        async def call(request: Any, context: Any) -> Any:
            try:
                with self._counted(method):
                    return await behaviour(_checked(request, streaming=request_streaming), context)
            except Exception as error:  # noqa: BLE001  the outermost place: every fault becomes a status here
                await _abort(context, error, method)

        return call

    def _streaming(self, behaviour: Any, method: str, *, request_streaming: bool) -> Any:
        async def call(request: Any, context: Any) -> AsyncIterator[Any]:
            try:
                with self._counted(method):
                    result = behaviour(_checked(request, streaming=request_streaming), context)
                    if not hasattr(result, "__aiter__"):  # a coroutine that writes to the context
                        await result
                        return
                    async with contextlib.aclosing(result):
                        async for response in result:
                            yield response
            except Exception as error:  # noqa: BLE001  as above
                await _abort(context, error, method)

        return call

    @contextlib.contextmanager
    def _counted(self, method: str) -> Iterator[None]:
        limit = self._limits.get(method)
        if limit is not None and self._running[method] >= limit:
            raise OverloadedError(f"{method} runs {limit} times already, which is its limit")
        self._running[method] += 1
        try:
            yield
        finally:
            self._running[method] -= 1


async def _abort(context: Any, error: Exception, method: str) -> None:
    if isinstance(error, grpc.aio.AbortError):
        raise error
    if not isinstance(error, ServiceError):
        incident = secrets.token_hex(4)
        log.error("incident %s in %s", incident, method, exc_info=error)
        error = InternalError(incident)
    await context.abort_with_status(rpc_status.to_status(error.to_status()))


def _refusing(error: ServiceError) -> Any:
    async def call(request: Any, context: Any) -> None:  # noqa: ARG001
        await context.abort_with_status(rpc_status.to_status(error.to_status()))

    return call


def _tolerant(deserialise: Callable[[bytes], Any] | None) -> Callable[[bytes], Any] | None:
    if deserialise is None:
        return None

    def read(data: bytes) -> Any:
        try:
            return deserialise(data)
        except DecodeError:
            return _Undecodable(_message_type(deserialise))

    return read


def _message_type(deserialise: Any) -> str:
    descriptor = getattr(getattr(deserialise, "__self__", None), "DESCRIPTOR", None)
    return getattr(descriptor, "full_name", "request")


def _checked(request: Any, *, streaming: bool) -> Any:
    if streaming:
        return _checked_stream(request)
    if isinstance(request, _Undecodable):
        raise UndecodableError(request.message_type)
    return request


async def _checked_stream(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for request in requests:
        if isinstance(request, _Undecodable):
            raise UndecodableError(request.message_type)
        yield request
