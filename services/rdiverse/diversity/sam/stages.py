"""Programs of questions and vectors of texts: those made a moment ago, else those in the cache, else made now."""

import asyncio
import time
from collections.abc import Sequence
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from rdiverse.diversity import metrics
from rdiverse.diversity.sam.cache import SamCache, content_key
from rdiverse.diversity.sam.language_model import Coder, ModelEncoder
from rdiverse.diversity.sam.lru import Recent
from rdiverse.diversity.sam.program import ProgramError, parse_program
from rdiverse.diversity.sam.structural import StructuralEncoder
from rdiverse.diversity.sam.text import TextEncoder
from rdiverse.grpcio_kit.errors import DependencyUnavailableError

T = TypeVar("T")
Vector = NDArray[np.float32]

_RECENT = 2048
"""Programs and vectors at hand: vectors take about 12 MiB at 1,536 components."""
_LONGEST_RECENT = 4096
"""Characters of a text that is kept at hand."""
_BLOCK = 64
"""Programs hashed at a time, so that other calls get their turn."""


class Programs:
    """What the coder writes for questions. One of each question and version of the coder is enough."""

    def __init__(self, coder: Coder | None, cache: SamCache) -> None:
        self._coder = coder
        self._cache = cache
        self._recent: Recent[tuple[str, str], str | ProgramError] = Recent(_RECENT)

    async def of(self, questions: Sequence[str], end: float) -> tuple[dict[str, str | ProgramError], str]:
        """The program of each different question, or why there is none; and the coder's version, "" when it was not needed.

        `end` is a time of the monotonic clock. Raises DependencyUnavailableError.
        """
        if not questions:
            return {}, ""
        if self._coder is None:
            raise DependencyUnavailableError("coder", "none is configured; bring programs or vectors")
        version = await self._coder.version()
        wanted = list(dict.fromkeys(questions))
        known = {text: program for (_, text), program in self._recent.of((version, text) for text in wanted).items()}
        missing = [text for text in wanted if text not in known]
        if missing:
            known |= await asyncio.to_thread(self._read, missing, version)
            missing = [text for text in missing if text not in known]
        metrics.count_cache("program", hits=len(wanted) - len(missing), misses=len(missing))
        if missing:
            written = dict(zip(missing, await self._coder.programs(missing, end - time.monotonic()), strict=True))
            await asyncio.to_thread(self._write, written, version)
            known |= written
        self._recent.keep(_at_hand(known, wanted, version))
        return known, version

    def _read(self, questions: Sequence[str], version: str) -> dict[str, str | ProgramError]:
        keys = {text: content_key("program", text, version) for text in questions}
        found = self._cache.programs(list(keys.values()))
        return {text: found[key][0] or ProgramError(found[key][1]) for text, key in keys.items() if key in found}

    def _write(self, programs: dict[str, str | ProgramError], version: str) -> None:
        self._cache.keep_programs(
            {
                content_key("program", text, version): ("", str(made)) if isinstance(made, ProgramError) else (made, "")
                for text, made in programs.items()
            }
        )


class Encoder(Protocol):
    """Texts to unit vectors (dimension,), or why there is none. Another version may give other vectors."""

    async def version(self) -> str:
        """Raises DependencyUnavailableError."""

    async def encode(self, texts: Sequence[str], seconds: float) -> Sequence[Vector | ProgramError]:
        """Raises DependencyUnavailableError."""


class InProcess:
    """An encoder without weights, in the shape of the others."""

    def __init__(self, encoder: StructuralEncoder | TextEncoder) -> None:
        self._encoder = encoder

    async def version(self) -> str:
        """See Encoder."""
        return self._encoder.version

    async def encode(self, texts: Sequence[str], seconds: float) -> Sequence[Vector | ProgramError]:  # noqa: ARG002
        """See Encoder."""
        results: list[Vector | ProgramError] = []
        for start in range(0, len(texts), _BLOCK):
            results += await asyncio.to_thread(self._encoder.encode, texts[start : start + _BLOCK])
        return results


class ProgramsOnly:
    """A model that embeds programs: it would embed any text whatever, so those that do not parse are kept from it."""

    def __init__(self, encoder: ModelEncoder) -> None:
        self._encoder = encoder

    async def version(self) -> str:
        """See Encoder."""
        return await self._encoder.version()

    async def encode(self, texts: Sequence[str], seconds: float) -> Sequence[Vector | ProgramError]:
        """See Encoder."""
        end = time.monotonic() + seconds
        unreadable = await asyncio.to_thread(_unreadable, texts)
        readable = [text for text in texts if text not in unreadable]
        vectors = dict(zip(readable, await self._encoder.encode(readable, end - time.monotonic()), strict=True))
        return [unreadable.get(text) or vectors[text] for text in texts]


class Vectors:
    """What an encoder makes of texts. `cache`: where vectors that cost a model's work are kept, under `kind`."""

    def __init__(self, encoder: Encoder, kind: str, cache: SamCache | None) -> None:
        self._encoder = encoder
        self._kind = kind
        self._cache = cache
        self._recent: Recent[tuple[str, str], Vector | ProgramError] = Recent(_RECENT)

    async def version(self) -> str:
        """See Encoder."""
        return await self._encoder.version()

    async def of(self, texts: Sequence[str], end: float) -> tuple[dict[str, Vector | ProgramError], str]:
        """The vector of each different text, or why there is none; and the encoder's version, "" when it was not needed.

        `end` is a time of the monotonic clock. Raises DependencyUnavailableError.
        """
        if not texts:
            return {}, ""
        version = await self._encoder.version()
        wanted = list(dict.fromkeys(texts))
        known = {text: vector for (_, text), vector in self._recent.of((version, text) for text in wanted).items()}
        missing = [text for text in wanted if text not in known]
        if missing and self._cache is not None:
            known |= await asyncio.to_thread(self._read, self._cache, missing, version)
            missing = [text for text in missing if text not in known]
        metrics.count_cache("vector", hits=len(wanted) - len(missing), misses=len(missing))
        if missing:
            made = dict(zip(missing, await self._encoder.encode(missing, end - time.monotonic()), strict=True))
            if self._cache is not None:
                await asyncio.to_thread(self._write, self._cache, made, version)
            known |= made
        self._recent.keep(_at_hand(known, wanted, version))
        return known, version

    def _read(self, cache: SamCache, texts: Sequence[str], version: str) -> dict[str, Vector | ProgramError]:
        keys = {text: content_key(self._kind, text, version) for text in texts}
        found = cache.vectors(list(keys.values()))
        return {text: found[key] for text, key in keys.items() if key in found}

    def _write(self, cache: SamCache, made: dict[str, Vector | ProgramError], version: str) -> None:
        cache.keep_vectors(
            {
                content_key(self._kind, text, version): vector
                for text, vector in made.items()
                if not isinstance(vector, ProgramError)
            }
        )


def _at_hand(made: dict[str, T], texts: Sequence[str], version: str) -> dict[tuple[str, str], T]:
    return {(version, text): made[text] for text in texts[-_RECENT:] if len(text) <= _LONGEST_RECENT}


def _unreadable(programs: Sequence[str]) -> dict[str, ProgramError]:
    found = {}
    for program in programs:
        try:
            parse_program(program)
        except ProgramError as error:
            found[program] = error
    return found
