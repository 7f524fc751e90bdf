"""How rdiverse's clients call: channels, deadlines, bounded retries, errors that say where and what. Imports only grpc."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import grpc
from google.rpc import error_details_pb2  # type: ignore[import-untyped]
from grpc_status import rpc_status

from rdiverse.grpcio_kit.tls import TlsFolder

T = TypeVar("T")

MAX_MESSAGE_BYTES = 64 * 2**20
RETRY_SECONDS = 30.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0


class RpcFailure(RuntimeError):  # noqa: N818  a call failed; the name is what others catch
    """A call that failed. The text names service, address, status and what the server said."""

    def __init__(self, method: str, address: str, error: Any) -> None:
        call = error if isinstance(error, grpc.Call) else None  # the errors that grpc raises are calls too
        self.method = method
        """As in SolverService.Solve."""
        self.address = address
        self.code: grpc.StatusCode = call.code() if call else grpc.StatusCode.UNKNOWN
        self.message: str = (call.details() or "") if call else str(error)
        self.reason = ""
        """`reason` of the error's ErrorInfo, as in WRONG_WEIGHTS; empty when the server sent none."""
        self.metadata: dict[str, str] = {}
        self.fields: list[tuple[str, str]] = []
        """(field, what is wrong with it), when the request was refused for that."""
        self.retry_seconds: float | None = None
        """When the server would be asked again, if it said so."""
        self._read_details(call)
        reason = f" ({self.reason})" if self.reason else ""
        super().__init__(f"{method} at {address}: {self.code.name}{reason}: {self.message}")

    def _read_details(self, call: Any) -> None:
        try:
            status = rpc_status.from_call(call) if call else None
        except ValueError:  # details that contradict the status: the status counts
            return
        for detail in status.details if status else ():
            info, bad, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
            if detail.Unpack(info):
                self.reason, self.metadata = info.reason, dict(info.metadata)
            elif detail.Unpack(bad):
                self.fields = [(fault.field, fault.description) for fault in bad.field_violations]
            elif detail.Unpack(retry):
                self.retry_seconds = retry.retry_delay.ToNanoseconds() / 1e9


def channel(
    address: str, tls: TlsFolder | None = None, max_message_bytes: int = MAX_MESSAGE_BYTES, server_name: str = ""
) -> grpc.Channel:
    """Open a channel to host:port or dns:///name:port; calls are spread over all addresses of a name.

    Plain text unless `tls` or the environment (RDIVERSE_TLS_DIR) names certificates. `server_name`: the name that the
    server's certificate must bear when `address` is a pod's, which no certificate names.
    """
    options = [
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.max_send_message_length", max_message_bytes),
        ("grpc.service_config", json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})),
        ("grpc.enable_http_proxy", 0),  # services of one cluster or machine; a proxy of the environment is for the world
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2000),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 20_000),
    ]
    tls = tls or TlsFolder.from_environment()
    if tls:
        if server_name:
            options.append(("grpc.ssl_target_name_override", server_name))
        return grpc.secure_channel(address, tls.channel_credentials(), options)
    return grpc.insecure_channel(address, options)


class Caller:
    """Calls methods of one server: every call has a deadline, and failures become RpcFailure."""

    def __init__(
        self, address: str, tls: TlsFolder | None = None, retry_seconds: float = RETRY_SECONDS, server_name: str = ""
    ) -> None:
        self.address = address
        self.channel = channel(address, tls, server_name=server_name)
        self._retry_seconds = retry_seconds

    def close(self) -> None:
        """Close the channel; calls under way are cancelled."""
        self.channel.close()

    def once(self, method: str, call: Callable[[float], T], timeout: float) -> T:
        """Call `call(timeout)` one time. Raises RpcFailure."""
        try:
            return call(timeout)
        except grpc.RpcError as error:
            raise RpcFailure(method, self.address, error) from None

    def idempotent(self, method: str, call: Callable[[float], T], timeout: float) -> T:
        """Call `call(seconds left)`, again after UNAVAILABLE for at most `retry_seconds` and never past `timeout`.

        Only for calls that change nothing or may be made twice. Raises RpcFailure.
        """
        begin = time.monotonic()
        pause = _FIRST_PAUSE
        while True:
            try:
                return self.once(method, call, timeout - (time.monotonic() - begin))
            except RpcFailure as failure:
                left = min(timeout, self._retry_seconds) - (time.monotonic() - begin)
                if failure.code is not grpc.StatusCode.UNAVAILABLE or left <= pause:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def stream(self, method: str, call: Callable[[float], Iterator[T]], timeout: float) -> Iterator[T]:
        """Give the responses of `call(timeout)`, not retried. Closing the iterator cancels the call. Raises RpcFailure."""
        responses = call(timeout)
        try:
            yield from responses
        except grpc.RpcError as error:
            raise RpcFailure(method, self.address, error) from None
        finally:
            if isinstance(responses, grpc.RpcContext):
                responses.cancel()

    def stream_idempotent(self, method: str, call: Callable[[float], Iterator[T]], timeout: float) -> Iterator[T]:
        """As `stream`, begun again after UNAVAILABLE as `idempotent` does, as long as nothing was given yet."""
        begin = time.monotonic()
        pause = _FIRST_PAUSE
        given = False
        while True:
            try:
                for response in self.stream(method, call, timeout - (time.monotonic() - begin)):
                    given = True
                    yield response
                return
            except RpcFailure as failure:
                left = min(timeout, self._retry_seconds) - (time.monotonic() - begin)
                if given or failure.code is not grpc.StatusCode.UNAVAILABLE or left <= pause:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
