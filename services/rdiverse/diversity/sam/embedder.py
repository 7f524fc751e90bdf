"""SAM: question -> program -> vector. What the caller already has is not made again (docs/method.md, "SAM")."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from rdiverse.diversity import metrics
from rdiverse.diversity.sam.cache import SamCache
from rdiverse.diversity.sam.encoders import InProcessEncoder, ProgramEncoder
from rdiverse.diversity.sam.remote_models import RemoteCoder, RemoteEncoder
from rdiverse.diversity.sam.stage import Stage, StageModel, StageStore
from rdiverse.diversity.sam.structural import StructuralEncoder
from rdiverse.diversity.sam.text import TextEncoder
from rdiverse.grpcio_kit.errors import DependencyUnavailableError
from rdiverse.selfplay.programs import ProgramError

Vector = NDArray[np.float32]


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
class Embeddable:
    """What a caller brings of an item."""

    question: str
    program: str = ""
    vector: Vector | None = None
    """Unit vector."""

    def origin(self, representation: Representation) -> Origin:
        """What the embedding is made from: the most finished thing that the caller brings."""
        if self.vector is not None:
            return Origin.VECTOR
        return Origin.PROGRAM if self.program and representation is Representation.PROGRAM else Origin.QUESTION


@dataclass(frozen=True)
class Embedded:
    """What SAM made of an item."""

    vector: Vector | None
    """Unit vector (dimension,); None when there is none."""
    origin: Origin
    program: str = ""
    failure: str = ""
    """Why there is no vector."""


class SamEmbedder:
    """Embeds items. Without a coder, questions that bring neither program nor vector cannot be embedded as programs."""

    def __init__(self, coder: RemoteCoder | None, encoder: RemoteEncoder | None, dimension: int, cache: SamCache) -> None:
        programs = StageStore(cache.programs, cache.keep_programs)
        self._coding = Stage(coder, "program", "program", programs) if coder else None
        of_programs: StageModel[Vector] = InProcessEncoder(StructuralEncoder(dimension))
        of_texts: StageModel[Vector] = InProcessEncoder(TextEncoder(dimension))
        vectors = None  # made in less time than they are read in
        if encoder is not None:
            of_programs, of_texts = ProgramEncoder(encoder), encoder
            vectors = StageStore(cache.vectors, cache.keep_vectors)
        self._encoding = {
            Representation.PROGRAM: Stage(of_programs, Representation.PROGRAM, "vector", vectors),
            Representation.TEXT: Stage(of_texts, Representation.TEXT, "vector", vectors),
        }

    async def encoder_version(self, representation: Representation) -> str:
        """Changes whenever vectors do: what a memory's embeddings must share. Raises DependencyUnavailableError."""
        return await self._encoding[representation].version()

    async def embed(
        self, items: Sequence[Embeddable], representation: Representation, seconds: float
    ) -> tuple[list[Embedded], str]:
        """What became of each item, and the version of coder and encoder, as far as they were needed.

        Raises DependencyUnavailableError when a service that is needed does not answer: no item is ever punished for it.
        """
        end = time.monotonic() + seconds
        origins = [item.origin(representation) for item in items]
        # 1. Questions to programs, for those that bring none. A question embedded as text stands for itself.
        coded, coder_version = await self._programs(items, origins, representation, end)
        texts = [
            item.program if origin is Origin.PROGRAM else coded.get(item.question, item.question)
            for item, origin in zip(items, origins, strict=True)
        ]
        # 2. Programs (or texts) to vectors, for those that bring none.
        to_encode = [
            text
            for text, origin in zip(texts, origins, strict=True)
            if origin is not Origin.VECTOR and not isinstance(text, ProgramError)
        ]
        vectors, encoder_version = await self._encoding[representation].results(to_encode, end)
        # 3. Back to the items' order.
        results = []
        for item, origin, text in zip(items, origins, texts, strict=True):
            vector = text if isinstance(text, ProgramError) else vectors.get(text)
            program = text if representation is Representation.PROGRAM and isinstance(text, str) else item.program
            if origin is Origin.VECTOR:
                results.append(Embedded(item.vector, origin, item.program))
            elif isinstance(vector, ProgramError):
                metrics.SAM_FAILURES.labels(vector.fault).inc()
                results.append(Embedded(None, origin, program, failure=str(vector)))
            else:
                results.append(Embedded(vector, origin, program))
        return results, "+".join(version for version in (coder_version, encoder_version) if version)

    async def _programs(
        self, items: Sequence[Embeddable], origins: Sequence[Origin], representation: Representation, end: float
    ) -> tuple[dict[str, str | ProgramError], str]:
        if representation is not Representation.PROGRAM or Origin.QUESTION not in origins:
            return {}, ""
        if self._coding is None:
            raise DependencyUnavailableError("coder", "is not configured, so items must bring programs or vectors")
        asked = [item.question for item, origin in zip(items, origins, strict=True) if origin is Origin.QUESTION]
        return await self._coding.results(asked, end)
