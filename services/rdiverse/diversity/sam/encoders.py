"""Encoders in the shape that a stage asks."""

import asyncio
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rdiverse.diversity.sam.remote_models import RemoteEncoder
from rdiverse.diversity.sam.structural import StructuralEncoder
from rdiverse.diversity.sam.text import TextEncoder
from rdiverse.selfplay.programs import ProgramError, parse_program

Vector = NDArray[np.float32]

_BLOCK = 64
"""Programs hashed at a time, so that other calls get their turn."""


class InProcessEncoder:
    """An encoder without weights."""

    def __init__(self, encoder: StructuralEncoder | TextEncoder) -> None:
        self._encoder = encoder

    async def version(self) -> str:
        """See StageModel."""
        return self._encoder.version

    async def make(self, texts: Sequence[str], seconds: float) -> Sequence[Vector | ProgramError]:  # noqa: ARG002
        """See StageModel."""
        results: list[Vector | ProgramError] = []
        for start in range(0, len(texts), _BLOCK):
            results += await asyncio.to_thread(self._encoder.encode, texts[start : start + _BLOCK])
        return results


class ProgramEncoder:
    """A model that embeds programs: it would embed any text whatever, so those that do not parse are kept from it."""

    def __init__(self, encoder: RemoteEncoder) -> None:
        self._encoder = encoder

    async def version(self) -> str:
        """See StageModel."""
        return await self._encoder.version()

    async def make(self, texts: Sequence[str], seconds: float) -> Sequence[Vector | ProgramError]:
        """See StageModel."""
        end = time.monotonic() + seconds
        unreadable = await asyncio.to_thread(_unreadable, texts)
        readable = [text for text in texts if text not in unreadable]
        vectors = dict(zip(readable, await self._encoder.make(readable, end - time.monotonic()), strict=True))
        return [unreadable.get(text) or vectors[text] for text in texts]


def _unreadable(programs: Sequence[str]) -> dict[str, ProgramError]:
    found = {}
    for program in programs:
        try:
            parse_program(program)
        except ProgramError as error:
            found[program] = error
    return found
