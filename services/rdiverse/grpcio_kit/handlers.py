"""What an interceptor does with a method's handler: another one in its place, of the same kind."""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc

Continuation = Callable[[grpc.HandlerCallDetails], Awaitable["grpc.RpcMethodHandler[Any, Any] | None"]]
Behaviour = Callable[[Any, Any], Any]
"""behaviour(request or iterator of requests, context)."""
Deserializer = Callable[[bytes], Any] | None


def wrap(
    handler: Any,
    single: Callable[[Behaviour], Behaviour],
    streaming: Callable[[Behaviour], Behaviour],
    deserializer: Callable[[Deserializer], Deserializer] = lambda same: same,
) -> "grpc.RpcMethodHandler[Any, Any]":
    """The handler with its behaviour inside `single(behaviour)`, or `streaming(behaviour)` where the answer is a stream.

    `deserializer` gives what reads the requests' bytes in place of the handler's own.
    """
    kind = "_".join("stream" if streams else "unary" for streams in (handler.request_streaming, handler.response_streaming))
    behaviour = (streaming if handler.response_streaming else single)(getattr(handler, kind))
    make = getattr(grpc, f"{kind}_rpc_method_handler")
    return make(  # type: ignore[no-any-return]
        behaviour, deserializer(handler.request_deserializer), handler.response_serializer
    )
