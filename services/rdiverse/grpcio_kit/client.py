"""How rdiverse's clients call: deadlines, bounded retries, errors that say where and what. Imports only grpc."""

import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import grpc
import grpc.aio
from google.rpc import error_details_pb2  # type: ignore[import-untyped]
from grpc_status import rpc_status

from rdiverse.grpcio_kit.channels import channel
from rdiverse.grpcio_kit.tls import TlsFolder

T = TypeVar("T")

RETRY_SECONDS = 30.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0


class RpcFailure(RuntimeError):  # noqa: N818  a call failed; the name is what others catch
    """A call that failed. The text names service, address, status and what the server said."""

    def __init__(self, method: str, address: str, error: Any) -> None:
        # The errors that grpc raises are calls too; asyncio's have the same methods without being so.
        call: Any = error if isinstance(error, grpc.Call | grpc.aio.AioRpcError) else None
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
        """When the server would be asked again (RetryInfo), if it said so. Nobody waits by it yet."""
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


class Backoff:
    """How long a call that may be made twice is made again: after UNAVAILABLE, at most `seconds`, with growing pauses."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._pause = _FIRST_PAUSE

    def pause_after(self, failure: RpcFailure) -> float:
        """Seconds to wait before the next attempt. Raises the failure when there is to be none."""
        pause, self._pause = self._pause, min(2 * self._pause, _LONGEST_PAUSE)
        if failure.code is not grpc.StatusCode.UNAVAILABLE or time.monotonic() + pause >= self._end:
            raise failure
        return pause


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
        [answer] = self.stream(method, lambda seconds: iter([call(seconds)]), timeout)
        return answer

    def idempotent(self, method: str, call: Callable[[float], T], timeout: float) -> T:
        """Call `call(seconds left)`, again after UNAVAILABLE for at most `retry_seconds` and never past `timeout`.

        Only for calls that change nothing or may be made twice. Raises RpcFailure.
        """
        [answer] = self.stream_idempotent(method, lambda seconds: iter([call(seconds)]), timeout)
        return answer

    def stream(self, method: str, call: Callable[[float], Iterator[T]], timeout: float) -> Iterator[T]:
        """Give the responses of `call(timeout)`, not retried. Closing the iterator cancels the call. Raises RpcFailure."""
        responses: Iterator[T] | None = None
        try:
            responses = call(timeout)
            yield from responses
        except grpc.RpcError as error:
            raise RpcFailure(method, self.address, error) from None
        finally:
            if isinstance(responses, grpc.RpcContext):
                responses.cancel()

    def stream_idempotent(self, method: str, call: Callable[[float], Iterator[T]], timeout: float) -> Iterator[T]:
        """As `stream`, begun again after UNAVAILABLE as `idempotent` does, as long as nothing was given yet."""
        begin, backoff = time.monotonic(), Backoff(min(timeout, self._retry_seconds))
        answered = False
        while True:
            try:
                for response in self.stream(method, call, timeout - (time.monotonic() - begin)):
                    answered = True
                    yield response
                return
            except RpcFailure as failure:
                if answered:
                    raise
                time.sleep(backoff.pause_after(failure))
