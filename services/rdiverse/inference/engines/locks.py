"""Locks for asyncio: one that readers share and a writer has alone, and places that are taken several at a time."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator


class SharedLock:
    """Many may hold it together, or one alone; who wants it alone goes before those who come later."""

    def __init__(self) -> None:
        self._changed = asyncio.Condition()
        self._holders = 0
        self._alone = 0

    @contextlib.asynccontextmanager
    async def shared(self) -> AsyncGenerator[None, None]:
        """Hold it together with others."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._alone)
            self._holders += 1
        try:
            yield
        finally:
            await asyncio.shield(self._leave())

    async def _leave(self) -> None:
        async with self._changed:
            self._holders -= 1
            self._changed.notify_all()

    @contextlib.asynccontextmanager
    async def exclusive(self) -> AsyncGenerator[None, None]:
        """Hold it alone, once all who hold it have left."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._alone)
            self._alone = 1
            try:
                await self._changed.wait_for(lambda: not self._holders)
            except BaseException:
                self._alone = 0
                self._changed.notify_all()
                raise
        try:
            yield
        finally:
            async with self._changed:
                self._alone = 0
                self._changed.notify_all()


class Places:
    """So many places, taken several at a time in the order asked for."""

    def __init__(self, places: int) -> None:
        self._most = places
        self._free = asyncio.Semaphore(places)
        self._turnstile = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def held(self, wanted: int) -> AsyncGenerator[None, None]:
        """Hold that many places; who wants more than there are takes all of them."""
        held = 0
        try:
            async with self._turnstile:  # one at a time: two that each hold a part would wait for each other
                for _ in range(min(wanted, self._most)):
                    await self._free.acquire()
                    held += 1
            yield
        finally:
            for _ in range(held):
                self._free.release()
