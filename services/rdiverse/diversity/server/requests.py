"""What a call brings: its batch, within bounds, and its time."""

from collections.abc import AsyncIterator
from typing import Any

from rdiverse.diversity.server import rules
from rdiverse.grpcio_kit.errors import InvalidFieldError
from rdiverse.v1 import diversity_pb2 as pb

LONGEST_CALL_SECONDS = 3600.0
"""For a caller that set no deadline."""
_MARGIN_SECONDS, _MARGIN_SHARE = 0.25, 0.05
"""Kept back from the caller's deadline, so that the answer why arrives before it."""


def remaining_seconds(context: Any) -> float:
    """Seconds until the caller gives up."""
    remaining = context.time_remaining()
    if remaining is None:
        return LONGEST_CALL_SECONDS
    return max(float(remaining) - max(_MARGIN_SECONDS, _MARGIN_SHARE * float(remaining)), 0.001)


async def read_batch(requests: AsyncIterator[Any], header_type: type[Any], most: int) -> tuple[Any, list[pb.Item]]:
    """The header and all items of a stream, within bounds. Raises InvalidFieldError."""
    header: Any = None
    items: list[pb.Item] = []
    size = 0
    async for request in requests:
        kind = request.WhichOneof("payload")
        if kind == "header":
            if header is not None:
                raise InvalidFieldError("header", "must be sent once, as the first message")
            header = request.header
        elif kind == "chunk":
            if header is None:
                raise InvalidFieldError("header", "must be the first message")
            rules.between("chunk.items", len(request.chunk.items), 1, rules.MAX_CHUNK_ITEMS)
            items.extend(request.chunk.items)
            size += request.ByteSize()
            if len(items) > most:
                raise InvalidFieldError("items", f"must be at most {most}")
            if size > rules.MAX_CALL_BYTES:
                raise InvalidFieldError("items", f"must have at most {rules.MAX_CALL_BYTES} bytes")
        else:
            raise InvalidFieldError("payload", "must hold a header or a chunk")
    if not isinstance(header, header_type):
        raise InvalidFieldError("header", "must be sent")
    if not items:
        raise InvalidFieldError("items", "must hold at least one item")
    return header, items
