"""Which rows are computed together: one rule for servers and trainers, so that the same request meets the same batches."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def whole_prompts(lengths: Sequence[int], samples: int, max_rows: int) -> list[list[int]]:
    """Cut prompts into chunks that run together: lists of their positions, prompts of like length together, shortest first.

    A prompt stays with all of its `samples`, so that it is read once. A chunk has `max_rows` rows at most, or one prompt.
    """
    order = sorted(range(len(lengths)), key=lambda i: (lengths[i], i))
    return list(map(list, pieces(order, max(1, max_rows // samples))))


def pieces(items: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    """Cut a sequence into pieces of `most` items, the last of what is left."""
    for at in range(0, len(items), most):
        yield items[at : at + most]
