"""SAM: question -> program -> vector, with what the caller already has taken as given."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rdiverse.diversity import metrics
from rdiverse.diversity.cache import SamCache, content_key
from rdiverse.diversity.language_model import Coder, ModelEncoder
from rdiverse.diversity.program import ProgramError, parse_program
from rdiverse.diversity.structural import StructuralEncoder
from rdiverse.diversity.text import TextEncoder
from rdiverse.grpcio_kit.errors import DependencyUnavailableError

_BLOCK = 64
"""Programs hashed at a time, so that other calls get their turn."""


class Representation(StrEnum):
    """What is embedded."""

    PROGRAM = "program"
    TEXT = "text"


class Origin(StrEnum):
    """Where an embedding came from."""

    QUESTION = "question"
    PROGRAM = "program"
    VECTOR = "vector"


@dataclass(frozen=True)
class Given:
    """What a caller brings of an item."""

    question: str
    program: str = ""
    vector: NDArray[np.float32] | None = None
    """Unit vector."""

    def origin(self, representation: Representation) -> Origin:
        """What the embedding is made from: the most finished thing that the caller brings."""
        if self.vector is not None:
            return Origin.VECTOR
        return Origin.PROGRAM if self.program and representation is Representation.PROGRAM else Origin.QUESTION


@dataclass(frozen=True)
class Embedded:
    """What SAM made of an item."""

    vector: NDArray[np.float32] | None
    """Unit vector (dimension,); None when there is none."""
    origin: Origin
    program: str = ""
    failure: str = ""
    """Why there is no vector."""


class _Encoder(Protocol):
    async def version(self) -> str: ...
    async def encode(self, texts: Sequence[str], seconds: float) -> Sequence[NDArray[np.float32] | ProgramError]: ...


class _InProcess:
    """An encoder without weights, in the shape of the others."""

    def __init__(self, encoder: StructuralEncoder | TextEncoder) -> None:
        self._encoder = encoder

    async def version(self) -> str:
        return self._encoder.version

    async def encode(self, texts: Sequence[str], seconds: float) -> Sequence[NDArray[np.float32] | ProgramError]:  # noqa: ARG002
        results: list[NDArray[np.float32] | ProgramError] = []
        for start in range(0, len(texts), _BLOCK):
            results += await asyncio.to_thread(self._encoder.encode, texts[start : start + _BLOCK])
        return results


class Sam:
    """Embeds items. Without a coder, questions that bring neither program nor vector cannot be embedded as programs."""

    def __init__(self, coder: Coder | None, encoder: ModelEncoder | None, dimension: int, cache: SamCache) -> None:
        self._coder = coder
        self._cached = encoder is not None
        self._encoders: dict[Representation, _Encoder] = {
            Representation.PROGRAM: encoder or _InProcess(StructuralEncoder(dimension)),
            Representation.TEXT: encoder or _InProcess(TextEncoder(dimension)),
        }
        self._cache = cache

    async def encoder_version(self, representation: Representation) -> str:
        """Changes whenever vectors do: what a memory's embeddings must share. Raises DependencyUnavailableError."""
        return await self._encoders[representation].version()

    async def embed(self, items: Sequence[Given], representation: Representation, seconds: float) -> tuple[list[Embedded], str]:
        """What became of each item, and the version of coder and encoder, as far as they were needed.

        Raises DependencyUnavailableError when a service that is needed does not answer: no item is ever punished for it.
        """
        end = time.monotonic() + seconds
        results = {
            index: Embedded(item.vector, Origin.VECTOR, item.program)
            for index, item in enumerate(items)
            if item.vector is not None
        }
        coder_version, texts, origin = "", {}, dict[int, Origin]()
        for index, item in enumerate(items):
            if index not in results:
                origin[index] = item.origin(representation)
                texts[index] = item.program if origin[index] is Origin.PROGRAM else item.question
        if representation is Representation.PROGRAM:
            asked = {index: text for index, text in texts.items() if origin[index] is Origin.QUESTION}
            programs, coder_version = await self._programs(asked, end)
            for index, program in programs.items():
                if isinstance(program, ProgramError):
                    del texts[index]
                    results[index] = Embedded(None, Origin.QUESTION, failure=str(program))
                else:
                    texts[index] = program
        vectors, encoder_version = await self._vectors(texts, representation, end)
        for index, vector in vectors.items():
            program = texts[index] if representation is Representation.PROGRAM else items[index].program
            if isinstance(vector, ProgramError):
                results[index] = Embedded(None, origin[index], program, failure=str(vector))
            else:
                results[index] = Embedded(vector, origin[index], program)
        metrics.SAM_FAILURES.inc(sum(result.vector is None for result in results.values()))
        versions = [version for version in (coder_version, encoder_version) if version]
        return [results[index] for index in range(len(items))], "+".join(versions)

    async def _programs(self, questions: dict[int, str], end: float) -> tuple[dict[int, str | ProgramError], str]:
        if not questions:
            return {}, ""
        if self._coder is None:
            raise DependencyUnavailableError("coder", "none is configured; bring programs or vectors")
        version = await self._coder.version()
        keys = {index: content_key("program", question, version) for index, question in questions.items()}
        known = await asyncio.to_thread(self._cache.programs, list(dict.fromkeys(keys.values())))
        missing = {keys[index]: question for index, question in questions.items() if keys[index] not in known}
        metrics.count_cache("program", hits=len(questions) - len(missing), misses=len(missing))
        if missing:
            written = await self._coder.programs(list(missing.values()), end - time.monotonic())
            made = {
                key: ("", str(program)) if isinstance(program, ProgramError) else (program, "")
                for key, program in zip(missing, written, strict=True)
            }
            await asyncio.to_thread(self._cache.keep_programs, made)
            known |= made
        return {index: known[key][0] or ProgramError(known[key][1]) for index, key in keys.items()}, version

    async def _vectors(
        self, texts: dict[int, str], representation: Representation, end: float
    ) -> tuple[dict[int, NDArray[np.float32] | ProgramError], str]:
        if not texts:
            return {}, ""
        encoder = self._encoders[representation]
        version = await encoder.version()
        known: dict[str, NDArray[np.float32] | ProgramError] = {}
        if representation is Representation.PROGRAM and self._cached:
            known |= await asyncio.to_thread(_unreadable, set(texts.values()))
        keys = {text: content_key(representation, text, version) for text in dict.fromkeys(texts.values()) if text not in known}
        if self._cached:
            found = await asyncio.to_thread(self._cache.vectors, list(keys.values()))
            known |= {text: found[key] for text, key in keys.items() if key in found}
            metrics.count_cache("vector", hits=len(found), misses=len(keys) - len(found))
        missing = [text for text in keys if text not in known]
        encoded = dict(zip(missing, await encoder.encode(missing, end - time.monotonic()), strict=True))
        if self._cached:
            fresh = {keys[text]: vector for text, vector in encoded.items() if not isinstance(vector, ProgramError)}
            await asyncio.to_thread(self._cache.keep_vectors, fresh)
        known |= encoded
        return {index: known[text] for index, text in texts.items()}, version


def _unreadable(programs: set[str]) -> dict[str, ProgramError]:
    """Programs that do not parse: a model would embed any text whatever."""
    found = {}
    for program in programs:
        try:
            parse_program(program)
        except ProgramError as error:
            found[program] = error
    return found
