"""SAM: question -> program -> vector, with what the caller already has taken as given."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from rdiverse.diversity import metrics
from rdiverse.diversity.sam.cache import SamCache
from rdiverse.diversity.sam.language_model import Coder, ModelEncoder
from rdiverse.diversity.sam.program import ProgramError
from rdiverse.diversity.sam.stages import InProcess, Programs, ProgramsOnly, Vectors
from rdiverse.diversity.sam.structural import StructuralEncoder
from rdiverse.diversity.sam.text import TextEncoder


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


class Sam:
    """Embeds items. Without a coder, questions that bring neither program nor vector cannot be embedded as programs."""

    def __init__(self, coder: Coder | None, encoder: ModelEncoder | None, dimension: int, cache: SamCache) -> None:
        self._programs = Programs(coder, cache)
        if encoder is None:
            of_programs, of_texts = InProcess(StructuralEncoder(dimension)), InProcess(TextEncoder(dimension))
            makers = [Vectors(of_programs, Representation.PROGRAM, None), Vectors(of_texts, Representation.TEXT, None)]
        else:
            makers = [
                Vectors(ProgramsOnly(encoder), Representation.PROGRAM, cache),
                Vectors(encoder, Representation.TEXT, cache),
            ]
        self._vectors = dict(zip((Representation.PROGRAM, Representation.TEXT), makers, strict=True))

    async def encoder_version(self, representation: Representation) -> str:
        """Changes whenever vectors do: what a memory's embeddings must share. Raises DependencyUnavailableError."""
        return await self._vectors[representation].version()

    async def embed(self, items: Sequence[Given], representation: Representation, seconds: float) -> tuple[list[Embedded], str]:
        """What became of each item, and the version of coder and encoder, as far as they were needed.

        Raises DependencyUnavailableError when a service that is needed does not answer: no item is ever punished for it.
        """
        end = time.monotonic() + seconds
        origins = [item.origin(representation) for item in items]
        written: dict[str, str | ProgramError] = {}
        coder_version = ""
        if representation is Representation.PROGRAM:
            asked = [item.question for item, origin in zip(items, origins, strict=True) if origin is Origin.QUESTION]
            written, coder_version = await self._programs.of(asked, end)
        texts: list[str | ProgramError] = [
            item.program if origin is Origin.PROGRAM else written.get(item.question, item.question)
            for item, origin in zip(items, origins, strict=True)
        ]
        to_encode = [
            text
            for text, origin in zip(texts, origins, strict=True)
            if origin is not Origin.VECTOR and not isinstance(text, ProgramError)
        ]
        vectors, encoder_version = await self._vectors[representation].of(to_encode, end)
        results = []
        for item, origin, text in zip(items, origins, texts, strict=True):
            if origin is Origin.VECTOR:
                results.append(Embedded(item.vector, origin, item.program))
            elif isinstance(text, ProgramError):
                results.append(Embedded(None, origin, failure=str(text)))
            else:
                program = text if representation is Representation.PROGRAM else item.program
                vector = vectors[text]
                if isinstance(vector, ProgramError):
                    results.append(Embedded(None, origin, program, failure=str(vector)))
                else:
                    results.append(Embedded(vector, origin, program))
        metrics.SAM_FAILURES.inc(sum(result.vector is None for result in results))
        versions = [version for version in (coder_version, encoder_version) if version]
        return results, "+".join(versions)
