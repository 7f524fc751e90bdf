"""The engine for CPUs and for tests: any Hugging Face causal language model, decoded by `rdiverse.lm`."""

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rdiverse.config import EngineConfig
from rdiverse.grpcio_kit.errors import WrongWeightsError
from rdiverse.inference.engines.engine import (
    Completion,
    Finish,
    GenerationRequest,
    check_lengths,
    check_texts,
    empty_completions,
)
from rdiverse.inference.engines.scheduling import Chunk, Job, Scheduler
from rdiverse.lm.decoding import Row, decode
from rdiverse.lm.folders import model_folder
from rdiverse.lm.loading import LoadedModel, load_model
from rdiverse.lm.lora import Checkpoints, checked_version
from rdiverse.lm.tokenizer import cut_at_stop, visible

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


_HAND_OVER_SECONDS = 0.25
"""Rows that finish within this are handed over together: at every handing over the loop's thread takes Python from this one."""


class TransformersEngine:
    """See Engine. `embeds`: the model turns texts into vectors instead of writing."""

    name = "transformers"
    exact_seeds = True

    def __init__(self, model: str, config: EngineConfig, *, embeds: bool = False) -> None:
        self._source = model
        self._config = config
        self._embeds = embeds
        self._model: LoadedModel | None = None
        self._checkpoints = Checkpoints()
        self._scheduler = Scheduler(self._compute, config.max_batch_rows, config.max_queue_rows)

    @property
    def version(self) -> str:
        """Version of the weights that serve now."""
        return self._loaded.version

    @property
    def max_model_len(self) -> int:
        """Longest prompt plus completion, in tokens."""
        return self._loaded.max_model_len

    @property
    def embedding_dimension(self) -> int:
        """Components of an embedding; 0 when this engine generates."""
        return self._loaded.dimension if self._embeds else 0

    @property
    def healthy(self) -> bool:
        """Whether the thread that computes is there."""
        return self._scheduler.healthy

    @property
    def ready(self) -> bool:
        """Whether weights are loaded."""
        return self._model is not None

    @property
    def waiting_rows(self) -> int:
        """Sequences that wait."""
        return self._scheduler.waiting_rows

    @property
    def running_rows(self) -> int:
        """Sequences in the batch that is computed now."""
        return self._scheduler.running_rows

    async def start(self) -> None:
        """Load the model and try it."""

        def load() -> LoadedModel:
            return load_model(self._source, self._config, embeds=self._embeds)

        self._model = await self._scheduler.between_batches(load)

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Completion, None]:
        """Give completions as they finish."""
        loaded = self._loaded
        tokens = await asyncio.to_thread(loaded.tokenizer.encode, request.prompts)
        too_long = check_lengths(request, tokens, loaded.max_model_len)
        for position in too_long:
            for completion in empty_completions(request, position, len(tokens[position]), loaded.version):
                yield completion
        seed = secrets.randbits(64) if request.seed is None else request.seed
        job = Job(request, tokens, seed, self._config.max_batch_rows, left_out=too_long)
        self._scheduler.submit(job)
        try:
            while completions := await job.receive():
                for completion in completions:
                    yield completion
                self._scheduler.read(job, len(completions))
        finally:
            self._scheduler.cancel(job)

    async def embed(self, texts: Sequence[str], expected_weights: str = "") -> "tuple[NDArray[np.float32], str]":
        """Unit vectors, (texts, dimension), and the version that made them."""
        tokens = await asyncio.to_thread(self._loaded.tokenizer.encode_texts, texts)
        check_texts(tokens, self.max_model_len)

        def compute() -> "tuple[NDArray[np.float32], str]":
            from rdiverse.lm.embedding import embed

            loaded = self._loaded
            _expect(expected_weights, loaded.version)
            return embed(loaded.model, tokens, self._config.max_batch_rows), loaded.version

        return await self._scheduler.between_batches(compute)

    async def load_weights(self, folder: Path, version: str = "") -> float:
        """Put a checkpoint in place; the present model serves until the new one has passed its trial."""
        present = self._loaded
        found = await asyncio.to_thread(checked_version, folder, version)
        if found == present.version:
            return 0.0
        base = await asyncio.to_thread(model_folder, self._source)
        checkpoint = await asyncio.to_thread(self._checkpoints.full, folder, found, base)

        def replace() -> float:
            begin = time.monotonic()
            self._model = load_model(str(checkpoint), self._config, embeds=self._embeds, like=self._loaded)
            return time.monotonic() - begin

        try:
            return await self._scheduler.between_batches(replace)
        finally:
            await asyncio.to_thread(self._checkpoints.close)

    async def close(self) -> None:
        """Fail what waits, end the thread, free the model."""
        await asyncio.to_thread(self._scheduler.stop)
        self._model = None

    @property
    def _loaded(self) -> LoadedModel:
        if self._model is None:
            raise RuntimeError("the engine was not started")
        return self._model

    def _compute(self, parts: list[tuple[Job, Chunk]]) -> None:
        """Draw one batch, in the scheduler's thread."""
        loaded = self._loaded
        batch = _Batch(loaded)
        for job, chunk in parts:
            if job.cancelled:
                continue
            try:
                _expect(job.request.expected_weights, loaded.version)
            except WrongWeightsError as error:
                self._scheduler.cancel(job)
                job.fail(error)
            else:
                batch.add(job, chunk)
        batch.decode(self._config.max_batch_rows)


class _Batch:
    """The rows of one batch and the jobs that they belong to."""

    def __init__(self, loaded: LoadedModel) -> None:
        self._loaded = loaded
        self._rows: list[Row] = []
        self._owners: dict[Row, Job] = {}
        self._finished: list[Row] = []
        self._handed_over = time.monotonic()

    def add(self, job: Job, chunk: Chunk) -> None:
        for position in chunk.prompts:
            for sample in range(job.request.n):
                row = _row(job, position, sample, self._loaded.max_model_len)
                self._rows.append(row)
                self._owners[row] = job

    def decode(self, max_rows: int) -> None:
        decode(self._loaded.model, self._rows, self._loaded.eos, max_rows, self._met_stop, self._emit)
        self._hand_over()

    def _met_stop(self, row: Row, tokens: Sequence[int]) -> bool:
        return self._loaded.tokenizer.met_stop(row.params.stop, tokens)

    def _emit(self, finished: list[Row]) -> None:
        self._finished += finished
        if time.monotonic() - self._handed_over > _HAND_OVER_SECONDS:
            self._hand_over()

    def _hand_over(self) -> None:
        done, self._finished, self._handed_over = self._finished, [], time.monotonic()
        if not done:
            return
        texts = self._loaded.tokenizer.decode([visible(row.tokens, self._loaded.eos) for row in done])
        completions: dict[Job, list[Completion]] = {}
        for row, text in zip(done, texts, strict=True):
            job = self._owners[row]
            completion = Completion(
                prompt_index=row.prompt_index,
                sample_index=row.sample_index,
                text=cut_at_stop(text, row.params.stop),
                finish=Finish.STOP if row.ended else Finish.LENGTH,
                prompt_tokens=len(row.prompt),
                completion_tokens=len(row.tokens),
                weights=self._loaded.version,
                logprobs=tuple(row.logprobs),
            )
            completions.setdefault(job, []).append(completion)
        for job, found in completions.items():
            job.deliver(found)


def _row(job: Job, position: int, sample: int, max_model_len: int) -> Row:
    request = job.request
    return Row(
        prompt=job.tokens[position],
        params=request.params,
        seed=job.seed,
        prompt_index=request.first_prompt + position,
        sample_index=request.first_sample + sample,
        limit=min(request.params.max_tokens, max_model_len - len(job.tokens[position])),
        cancelled=lambda: job.cancelled,
        wants_logprobs=request.logprobs,
    )


def _expect(expected: str, present: str) -> None:
    if expected and expected != present:
        raise WrongWeightsError(expected, present)
