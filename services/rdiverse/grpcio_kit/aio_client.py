"""How rdiverse's asyncio code calls: the channel of `client.channel` in its asyncio form."""

import json
from typing import Any

import grpc
import grpc.aio

from rdiverse.grpcio_kit.client import MAX_MESSAGE_BYTES, RpcFailure
from rdiverse.grpcio_kit.tls import TlsFolder


def aio_channel(address: str, tls: TlsFolder | None = None, max_message_bytes: int = MAX_MESSAGE_BYTES) -> grpc.aio.Channel:
    """Open a channel to host:port or dns:///name:port; calls are spread over all addresses of a name.

    Plain text unless `tls` or the environment (RDIVERSE_TLS_DIR) names certificates.
    """
    options = [
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.max_send_message_length", max_message_bytes),
        ("grpc.service_config", json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})),
        ("grpc.enable_http_proxy", 0),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2000),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 20_000),
    ]
    tls = tls or TlsFolder.from_environment()
    if tls:
        return grpc.aio.secure_channel(address, tls.channel_credentials(), options)
    return grpc.aio.insecure_channel(address, options)


def aio_failure(method: str, address: str, error: grpc.aio.AioRpcError) -> RpcFailure:
    """The RpcFailure of an asyncio call that failed."""
    return RpcFailure(method, address, _Finished(error))


class _Finished(grpc.RpcError, grpc.Call):
    """An asyncio call's error in the shape of a blocking call's, which asyncio's own class does not have."""

    def __init__(self, error: grpc.aio.AioRpcError) -> None:
        super().__init__()
        self._error = error

    def code(self) -> grpc.StatusCode:
        return self._error.code()

    def details(self) -> str:
        return self._error.details() or ""

    def initial_metadata(self) -> Any:
        return tuple(self._error.initial_metadata())

    def trailing_metadata(self) -> Any:
        return tuple((key, value) for key, value in self._error.trailing_metadata())

    def is_active(self) -> bool:
        return False

    def time_remaining(self) -> float:
        return 0.0

    def cancel(self) -> bool:
        return False

    def add_callback(self, callback: Any) -> bool:  # noqa: ARG002
        return False
