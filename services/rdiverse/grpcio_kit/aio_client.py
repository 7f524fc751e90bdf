"""The failures of asyncio calls, in the shape of blocking ones."""

from typing import Any

import grpc
import grpc.aio

from rdiverse.grpcio_kit.client import RpcFailure


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
