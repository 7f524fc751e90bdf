"""Windows: what streams in, gathered into lists that are worth an engine's while."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Any, TypeVar

_SILENCE_SECONDS = 0.005
_UNREAD_CHUNKS = 1
"""Chunks that may wait for room in a window."""

T = TypeVar("T")


async def windows(arriving: AsyncIterator[Sequence[T]], size: int, *, patient: bool) -> AsyncIterator[list[T]]:
    """Gather chunks into windows of `size` items. Raises what `arriving` raises.

    A window is closed by its size, by the end of the stream, and, unless it is `patient`, by a short silence.
    """
    arrived: asyncio.Queue[Sequence[T] | None] = asyncio.Queue(_UNREAD_CHUNKS)

    async def read() -> None:
        async for chunk in arriving:
            await arrived.put(chunk)

    reader = asyncio.create_task(then_none(read(), arrived))
    try:
        window: list[T] = []
        ended = False
        while not ended:
            chunk = await _next(arrived, patient=patient or not window)
            ended = chunk is None
            window += chunk or ()
            if ended:
                await reader  # an invalid item spoils the call before its window is computed
            while len(window) >= size or (window and not chunk):
                yield window[:size]
                del window[:size]
    finally:
        reader.cancel()


async def then_none(work: Awaitable[None], queue: asyncio.Queue[Any]) -> None:
    """Do the work, then tell the queue's reader that no more comes. When this is cancelled nobody reads any more."""
    try:
        await work
    except Exception:
        await queue.put(None)
        raise
    await queue.put(None)


async def _next(arrived: "asyncio.Queue[Sequence[T] | None]", *, patient: bool) -> Sequence[T] | None:
    """The next chunk, an empty one when none came for a while, None at the end."""
    if patient:
        return await arrived.get()
    try:
        return await asyncio.wait_for(arrived.get(), _SILENCE_SECONDS)
    except TimeoutError:
        return ()
