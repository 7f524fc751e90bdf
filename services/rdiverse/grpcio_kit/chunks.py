"""Many small messages travel in a few larger ones: sending and receiving one costs more than reading it."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from more_itertools import constrained_batches

T = TypeVar("T")

_ITEMS = 1024
_SIZE = 4 * 2**20


def chunks(items: Iterable[T], size: Callable[[T], int]) -> Iterator[tuple[T, ...]]:
    """Tuples of 1 to 1024 items in their order, and larger than 4 Mi in the sum of `size` only where a single one is."""
    return constrained_batches(items, _SIZE, _ITEMS, get_len=size, strict=False)
