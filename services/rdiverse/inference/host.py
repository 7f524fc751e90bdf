"""What the servicers of one server share: the engine once it is there, the role and its defaults."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rdiverse.config import RunConfig, SamplingConfig
from rdiverse.grpcio_kit.errors import (
    BadCheckpointError,
    DependencyUnavailableError,
    InvalidFieldError,
    OverloadedError,
    UnknownModelError,
    WrongWeightsError,
)
from rdiverse.inference import metrics
from rdiverse.inference.engines.engine import Completion, Engine, GenerationRequest, PromptTooLongError
from rdiverse.lm.weights import CheckpointError, resolve_resource
from rdiverse.selfplay.roles import Role

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

log = logging.getLogger(__name__)


class ModelHost:
    """An engine and what is said about it. Without an engine yet, every call is UNAVAILABLE."""

    def __init__(self, role: Role, config: RunConfig, weights: Path | None = None) -> None:
        self.role = role
        self.config = config
        self._weights = weights
        self._engine: Engine | None = None
        self._loading = asyncio.Lock()

    @property
    def engine(self) -> Engine:
        """The engine. Raises DependencyUnavailableError while it starts."""
        if self._engine is None:
            raise DependencyUnavailableError("engine", "the model is still being loaded")
        return self._engine

    def put(self, engine: Engine) -> None:
        """Take a started engine into service."""
        self._engine = engine
        metrics.WEIGHTS.labels(self.role, engine.version).set(1)

    def source(self) -> str:
        """Where this server's model comes from: a directory, a hub id or a pkg: resource."""
        if self._weights is not None:
            return str(self._weights)
        model = {Role.CODER: self.config.coder.model, Role.ENCODER: self.config.encoder.model}.get(self.role, self.config.model)
        if model is None:
            raise ValueError("encoder.model: must name the model to serve")
        return model

    @property
    def ready(self) -> bool:
        """Whether the engine takes calls."""
        return self._engine is not None and self._engine.ready and self._engine.healthy

    @property
    def window_rows(self) -> int:
        """Sequences asked of the engine at once, four batches: sorting by length needs some to choose from.

        Between windows a change of weights or another call gets its turn.
        """
        return 4 * self.config.inference.max_batch_rows

    def defaults(self) -> SamplingConfig:
        """How this role draws what a request leaves open."""
        match self.role:
            case Role.CHALLENGER:
                return self.config.challenger.sampling
            case Role.CODER:
                return SamplingConfig(temperature=0, max_tokens=self.config.coder.max_tokens)
            case _:
                return self.config.solver.sampling

    def check_weights(self, expected: str) -> None:
        """Raises WrongWeightsError when other weights serve than `expected`; empty: any will do."""
        if expected and expected != self.engine.version:
            raise WrongWeightsError(expected, self.engine.version)

    def check_room(self) -> None:
        """Raises OverloadedError when the engine's queue is full."""
        waiting, most = self.engine.waiting_rows, self.config.inference.max_queue_rows
        if waiting >= most:
            raise OverloadedError(f"{waiting} sequences are waiting, the limit is {most}")

    async def generate(
        self, request: GenerationRequest, prompt_field: str = "prompts[{}].user"
    ) -> AsyncGenerator[Completion, None]:
        """The engine's completions, counted.

        Raises WrongWeightsError, UnknownModelError where the engine embeds, InvalidFieldError naming `prompt_field` for a
        prompt that is too long, and what else the engine raises.
        """
        if self.engine.embedding_dimension:
            raise UnknownModelError(f"this {self.role} embeds and does not write")
        self.check_weights(request.expected_weights)
        prompt_tokens, tokens = metrics.PROMPT_TOKENS.labels(self.role), metrics.COMPLETION_TOKENS.labels(self.role)
        completions = self.engine.generate(request)
        try:
            async for completion in completions:
                prompt_tokens.inc(completion.prompt_tokens)
                tokens.inc(completion.completion_tokens)
                yield completion
        except PromptTooLongError as error:
            raise InvalidFieldError(prompt_field.format(error.index), str(error)) from error
        finally:
            await completions.aclose()

    async def embed(
        self, texts: Sequence[str], expected_weights: str, text_field: str = "texts[{}]"
    ) -> "tuple[NDArray[np.float32], str]":
        """The engine's unit vectors, (texts, dimension), counted, and the version that made them. Raises as `generate`."""
        if not self.engine.embedding_dimension:
            raise UnknownModelError(f"this {self.role} writes and does not embed")
        self.check_weights(expected_weights)
        try:
            vectors, version = await self.engine.embed(texts, expected_weights)
        except PromptTooLongError as error:
            raise InvalidFieldError(text_field.format(error.index), str(error)) from error
        metrics.EMBEDDED.labels(self.role).inc(len(texts))
        return vectors, version

    async def load_weights(self, path: str, version: str) -> float:
        """Load, one call at a time. Returns the pause in seconds.

        A load that has begun is carried through, even when its caller gives up: in the middle there are no weights to serve.
        """
        return await asyncio.shield(asyncio.ensure_future(self._load_weights(path, version)))

    async def _load_weights(self, path: str, version: str) -> float:
        engine = self.engine
        async with self._loading:
            before = engine.version
            try:
                paused = await engine.load_weights(Path(resolve_resource(path)), version)
            except CheckpointError as error:
                metrics.LOADS.labels(self.role, "refused").inc()
                log.warning("refused to load %s: %s", path, error)
                raise BadCheckpointError(str(error), engine.version) from error
            metrics.LOADS.labels(self.role, "done").inc()
            metrics.WEIGHTS.remove(self.role, before)
            metrics.WEIGHTS.labels(self.role, engine.version).set(1)
            log.info("%s serves weights %s in place of %s, after a pause of %.1f s", self.role, engine.version, before, paused)
        return paused
