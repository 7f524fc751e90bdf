"""Many small messages travel in a few larger ones: sending and receiving one costs more than reading it."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from google.protobuf.message import Message

M = TypeVar("M", bound=Message)

_MESSAGES = 1024
_BYTES = 4 * 2**20


def chunks(messages: Iterable[M]) -> Iterator[list[M]]:
    """Lists of 1 to 1024 messages in their order, and of more than 4 MiB only where a single one has them."""
    chunk: list[M] = []
    size = 0
    for message in messages:
        weight = message.ByteSize()
        if chunk and (len(chunk) == _MESSAGES or size + weight > _BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(message)
        size += weight
    if chunk:
        yield chunk
