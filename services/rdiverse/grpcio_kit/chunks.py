"""Many small messages travel in a few larger ones: sending and receiving one costs more than reading it."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from google.protobuf.message import Message
from more_itertools import constrained_batches

M = TypeVar("M", bound=Message)

_MESSAGES = 1024
_BYTES = 4 * 2**20


def chunks(messages: Iterable[M]) -> Iterator[tuple[M, ...]]:
    """Tuples of 1 to 1024 messages in their order, and of more than 4 MiB only where a single one has them."""
    return constrained_batches(messages, _BYTES, _MESSAGES, get_len=lambda message: message.ByteSize(), strict=False)
