"""A gRPC server as all of rdiverse's are: one address, health, reflection, metrics beside it, and an orderly end."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as aio_health
from grpc_reflection.v1alpha import reflection

from rdiverse.grpcio_kit.channels import MAX_MESSAGE_BYTES
from rdiverse.grpcio_kit.interceptor import ServiceInterceptor
from rdiverse.grpcio_kit.metrics import CallMetrics, serve_metrics
from rdiverse.grpcio_kit.tls import TlsFolder

log = logging.getLogger(__name__)

READINESS = ""
"""Health service that says whether calls are welcome."""
LIVENESS = "liveness"
"""Health service that says whether the process can still become ready."""

REFLECTION_VARIABLE = "RDIVERSE_REFLECTION"
"""off: the server does not describe its services to whoever asks."""

_S = TypeVar("_S")


class Serving:
    """An aio server on one address. To be made inside a running event loop.

    `listen` is host:port (port 0: the system chooses), `metrics_port` stands on the same host. A server starts
    alive and not ready: its owner calls `set_ready` when it is. Limits are by full method name.
    """

    def __init__(
        self,
        listen: str,
        metrics_port: int,
        *,
        limits: Mapping[str, int] | None = None,
        interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
        tls: TlsFolder | None = None,
        max_connection_age_seconds: float = 1800,
        grace_seconds: float = 30,
        drain_delay_seconds: float = 0,
    ) -> None:
        self._host = listen.rpartition(":")[0].strip("[]")
        self._metrics_port = metrics_port
        self._grace = grace_seconds
        self._drain_delay = drain_delay_seconds
        self._ready = False
        self._draining = False
        self._stop_asked = asyncio.Event()
        self._metrics: Any = None
        self._services = [health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME]
        options = [
            ("grpc.so_reuseport", 0),  # a taken port is an error, never a second server behind it
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_connection_age_ms", int(max_connection_age_seconds * 1000)),
            ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
            ("grpc.keepalive_permit_without_calls", 1),
        ]
        self.server = grpc.aio.server(interceptors=[CallMetrics(), ServiceInterceptor(limits), *interceptors], options=options)
        self._health = aio_health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self.server)
        tls = tls or TlsFolder.from_environment()
        try:
            self.port = (
                self.server.add_secure_port(listen, tls.server_credentials()) if tls else self.server.add_insecure_port(listen)
            )
        except RuntimeError as error:
            raise OSError(f"cannot listen on {listen}: the address is taken or not this machine's") from error

    def add(self, file: Any, add_to_server: Callable[[_S, Any], None], servicer: _S) -> None:
        """Add the one service of a proto file by the file's descriptor, its generated adder and its servicer.

        The descriptor is `x_pb2.DESCRIPTOR`, the adder `add_XServiceServicer_to_server`.
        """
        add_to_server(servicer, self.server)
        self._services += [service.full_name for service in file.services_by_name.values()]

    async def start(self) -> None:
        """Begin to answer: alive, not ready yet. Raises OSError when the metrics port is taken."""
        if os.environ.get(REFLECTION_VARIABLE) != "off":
            reflection.enable_server_reflection(self._services, self.server)
        self._metrics, _ = serve_metrics(self._host, self._metrics_port)
        await self._health.set(READINESS, health_pb2.HealthCheckResponse.NOT_SERVING)
        await self.set_alive(alive=True)
        await self.server.start()
        log.info("listening on port %d, metrics on port %d; not ready yet", self.port, self.metrics_port)

    @property
    def metrics_port(self) -> int:
        """The port that answers scrapes, once started."""
        return int(self._metrics.server_port)

    @property
    def ready(self) -> bool:
        """Whether readiness is told."""
        return self._ready and not self._draining

    async def set_ready(self, *, ready: bool) -> None:
        """Say whether calls are welcome. While the server stops it stays not ready."""
        if ready != self._ready:
            log.log(logging.INFO if ready else logging.WARNING, "ready" if ready else "not ready")
        self._ready = ready
        await self._health.set(READINESS, _status(self.ready))

    async def set_alive(self, *, alive: bool) -> None:
        """Say whether the process is worth keeping; False makes a cluster replace it."""
        await self._health.set(LIVENESS, _status(alive))

    def ask_to_stop(self) -> None:
        """What SIGTERM does. To be called in the loop's thread."""
        self._stop_asked.set()

    async def run_until_stopped(self) -> None:
        """Serve until SIGTERM, SIGINT or `ask_to_stop`; then drain. A second signal ends what still runs."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.ask_to_stop)
        await self._stop_asked.wait()
        self._stop_asked.clear()
        drain = asyncio.ensure_future(self.stop())
        impatience = asyncio.ensure_future(self._stop_asked.wait())
        await asyncio.wait({drain, impatience}, return_when=asyncio.FIRST_COMPLETED)
        if not drain.done():
            await self.server.stop(0)
        impatience.cancel()
        await drain

    async def stop(self) -> None:
        """Stop being ready, let what runs finish within the grace period, leave. Again: nothing more happens."""
        if self._draining:
            return
        self._draining = True
        await self._health.set(READINESS, health_pb2.HealthCheckResponse.NOT_SERVING)
        # On a cluster the address is still handed out for a moment.
        await asyncio.sleep(self._drain_delay)
        log.info("draining, at most %g s", self._grace)
        await self.server.stop(self._grace)
        if self._metrics is not None:
            await asyncio.to_thread(self._metrics.shutdown)
            self._metrics.server_close()
        log.info("ended")


def _status(good: bool) -> Any:
    return health_pb2.HealthCheckResponse.SERVING if good else health_pb2.HealthCheckResponse.NOT_SERVING
