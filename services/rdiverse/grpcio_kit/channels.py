"""How rdiverse opens channels, blocking and for asyncio: the same options for both."""

import json

import grpc
import grpc.aio

from rdiverse.grpcio_kit.tls import TlsFolder

MAX_MESSAGE_BYTES = 64 * 2**20


def channel_options(server_name: str = "") -> list[tuple[str, str | int]]:
    """Options of every channel. `server_name`: the name that the server's certificate must bear; empty: the address'."""
    options: list[tuple[str, str | int]] = [
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ("grpc.service_config", json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})),
        ("grpc.enable_http_proxy", 0),  # services of one cluster or machine; a proxy of the environment is for the world
        # A server that was restarted is found again soon.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2000),
        # A machine that went away without a word is noticed during a long call.
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 20_000),
    ]
    return [*options, ("grpc.ssl_target_name_override", server_name)] if server_name else options


def channel(address: str, tls: TlsFolder | None = None, server_name: str = "") -> grpc.Channel:
    """Open a channel to host:port or dns:///name:port; calls are spread over all addresses of a name.

    Plain text unless `tls` or the environment (RDIVERSE_TLS_DIR) names certificates. `server_name`: the name that the
    server's certificate must bear when `address` is a pod's, which no certificate names.
    """
    tls = tls or TlsFolder.from_environment()
    if tls:
        return grpc.secure_channel(address, tls.channel_credentials(), channel_options(server_name))
    return grpc.insecure_channel(address, channel_options())


def aio_channel(address: str, tls: TlsFolder | None = None) -> grpc.aio.Channel:
    """As `channel`, to be awaited."""
    tls = tls or TlsFolder.from_environment()
    if tls:
        return grpc.aio.secure_channel(address, tls.channel_credentials(), channel_options())
    return grpc.aio.insecure_channel(address, channel_options())
