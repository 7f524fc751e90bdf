"""Prometheus metrics on a port of their own: every call by method and status, and whatever the process registers.

Names, units and labels are those of gRPC's own server metrics (gRFC A66), measured in an interceptor: grpcio-observability,
which gives them too, holds a lock of its own while it waits for Python's (1.81), and stops an asyncio server for good as
soon as another thread is busy. docs/diversity.md names the other libraries that were looked at.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any
from wsgiref.simple_server import WSGIServer

import grpc
import grpc.aio
import prometheus_client
from prometheus_client import Counter, Histogram

from rdiverse.grpcio_kit.handlers import Behaviour, Continuation, wrap

SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
BYTES = (1024.0, 16_384.0, 262_144.0, 4_194_304.0, 67_108_864.0)
_LABELS = ("grpc_method", "grpc_status")

STARTED = Counter("grpc_server_call_started", "Calls begun.", ["grpc_method"])
DURATION = Histogram("grpc_server_call_duration_seconds", "Length of calls.", _LABELS, buckets=SECONDS)
RECEIVED = Histogram(
    "grpc_server_call_rcvd_total_compressed_message_size_bytes", "Bytes received in a call.", _LABELS, buckets=BYTES
)
SENT = Histogram("grpc_server_call_sent_total_compressed_message_size_bytes", "Bytes sent in a call.", _LABELS, buckets=BYTES)

_STATUS_NAMES = {status.value[0]: status.name for status in grpc.StatusCode}


class CallMetrics(grpc.aio.ServerInterceptor):
    """Measures every method that the server has; to be the outermost interceptor. Names that callers invent are not counted."""

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """Wrap the method's handler."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method.lstrip("/")
        return handler and wrap(handler, partial(_single, method), partial(_streaming, method))


def serve_metrics(host: str, port: int) -> tuple[WSGIServer, threading.Thread]:
    """Answer scrapes at http://host:port/metrics from a daemon thread. Raises OSError when the port is taken."""
    return prometheus_client.start_http_server(port, addr=host)


class _Call:
    """What is measured of one call."""

    def __init__(self) -> None:
        self.received = self.sent = 0

    def count_received(self, request: Any) -> Any:
        if not hasattr(request, "__aiter__"):
            self.received += _size(request)
            return request
        return self._counted(request)

    async def _counted(self, requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for request in requests:
            self.received += _size(request)
            yield request


@contextlib.contextmanager
def _measured(method: str, context: Any) -> Iterator[_Call]:
    STARTED.labels(method).inc()
    begin, call, cancelled = time.perf_counter(), _Call(), False
    try:
        yield call
    except (asyncio.CancelledError, GeneratorExit):
        cancelled = True
        raise
    finally:
        status = "CANCELLED" if cancelled else _status(context)
        DURATION.labels(method, status).observe(time.perf_counter() - begin)
        RECEIVED.labels(method, status).observe(call.received)
        SENT.labels(method, status).observe(call.sent)


def _single(method: str, behaviour: Behaviour) -> Behaviour:
    async def call(request: Any, context: Any) -> Any:
        with _measured(method, context) as measured:
            response = await behaviour(measured.count_received(request), context)
            measured.sent += _size(response)
            return response

    return call


def _streaming(method: str, behaviour: Behaviour) -> Behaviour:
    async def call(request: Any, context: Any) -> AsyncIterator[Any]:
        with _measured(method, context) as measured:
            async with contextlib.aclosing(behaviour(measured.count_received(request), context)) as responses:
                async for response in responses:
                    measured.sent += _size(response)
                    yield response

    return call


def _size(message: Any) -> int:
    return int(message.ByteSize()) if hasattr(message, "ByteSize") else 0


def _status(context: Any) -> str:
    code = context.code()
    return str(code.name) if isinstance(code, grpc.StatusCode) else _STATUS_NAMES.get(code or 0, "UNKNOWN")
