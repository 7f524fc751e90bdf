"""One interceptor around every method: decoding faults, errors and limits become statuses that a caller can read."""

import contextlib
import logging
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from functools import partial
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from grpc_status import rpc_status

from rdiverse.grpcio_kit.errors import InternalError, OverloadedError, ServiceError, UndecodableError
from rdiverse.grpcio_kit.handlers import Behaviour, Continuation, Deserializer, wrap
from rdiverse.logs import Seldom

log = logging.getLogger(__name__)
_seldom = Seldom(log)

SLOW_SECONDS = 30.0
"""A call that takes longer is told in the log, unless it is a stream of health."""
_LOGGED = {
    grpc.StatusCode.UNAUTHENTICATED: "refused",
    grpc.StatusCode.PERMISSION_DENIED: "refused",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "turned away",
    grpc.StatusCode.UNAVAILABLE: "unavailable",
}
"""Errors that an operator wants to see; the others are the caller's alone."""


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
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """Wrap the method's handler. An inner interceptor may raise ServiceError instead of giving a handler."""
        method = handler_call_details.method
        try:
            handler = await continuation(handler_call_details)
        except ServiceError as error:
            return grpc.stream_unary_rpc_method_handler(_refusing(error, method))
        if handler is None:
            return None
        return wrap(handler, partial(self._single, method), partial(self._streaming, method), _tolerant)

    def _single(self, method: str, behaviour: Behaviour) -> Behaviour:
        async def call(request: Any, context: Any) -> Any:
            try:
                with self._counted(method):
                    return await behaviour(_checked(request), context)
            except Exception as error:  # noqa: BLE001  the outermost place: every fault becomes a status here
                await _abort(context, error, method)

        return call

    def _streaming(self, method: str, behaviour: Behaviour) -> Behaviour:
        async def call(request: Any, context: Any) -> AsyncIterator[Any]:
            try:
                with self._counted(method):
                    result = behaviour(_checked(request), context)
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
            raise OverloadedError(f"{method} already runs {limit} calls, its limit")
        self._running[method] += 1
        begin = time.monotonic()
        try:
            yield
        finally:
            self._running[method] -= 1
            seconds = time.monotonic() - begin
            if seconds > SLOW_SECONDS and not method.startswith("/grpc."):
                _seldom.say(logging.INFO, f"slow {method}", f"slow: {method} took {seconds:.0f} s")


async def _abort(context: Any, error: Exception, method: str) -> None:
    if isinstance(error, grpc.aio.AbortError):
        raise error
    if not isinstance(error, ServiceError):
        incident = secrets.token_hex(4)
        log.error("incident %s in %s", incident, method, exc_info=error)
        error = InternalError(incident)
    _tell(context, error, method)
    await context.abort_with_status(rpc_status.to_status(error.to_status()))


def _tell(context: Any, error: ServiceError, method: str) -> None:
    what = _LOGGED.get(error.status)
    if what:
        # Dependencies are few and named by us; a peer is whoever asks.
        key = f"{what} {method} {error.metadata.get('dependency', '')}"
        _seldom.say(logging.WARNING, key, f"{what}: {method} from {context.peer()}: {error.message}")


def _refusing(error: ServiceError, method: str) -> Any:
    async def call(request: Any, context: Any) -> None:  # noqa: ARG001
        _tell(context, error, method)
        await context.abort_with_status(rpc_status.to_status(error.to_status()))

    return call


def _tolerant(deserialise: Deserializer) -> Deserializer:
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


def _checked(request: Any) -> Any:
    if hasattr(request, "__aiter__"):
        return _checked_stream(request)
    if isinstance(request, _Undecodable):
        raise UndecodableError(request.message_type)
    return request


async def _checked_stream(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for request in requests:
        if isinstance(request, _Undecodable):
            raise UndecodableError(request.message_type)
        yield request
