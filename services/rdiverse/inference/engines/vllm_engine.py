"""The engine for GPUs: vLLM's AsyncLLM in this process.

vLLM draws its own noise: a seed makes a sample repeatable only as far as vLLM's batches are. What it is given here (order of
weights, prefix cache, health) follows what was measured: a reload does not clear the prefix cache, and a failed one leaves a
broken model behind while vLLM says that all is well.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rdiverse.config import EngineConfig
from rdiverse.grpcio_kit.errors import DependencyUnavailableError, InvalidFieldError, WrongWeightsError
from rdiverse.inference.engines import vllm_library
from rdiverse.inference.engines.engine import (
    Completion,
    GenerationRequest,
    check_lengths,
    check_queue,
    check_texts,
    empty_completions,
)
from rdiverse.inference.engines.locks import Places, SharedLock
from rdiverse.lm import canary
from rdiverse.lm.folders import model_folder
from rdiverse.lm.lora import Checkpoints, checked_version
from rdiverse.lm.shapes import check_same_shape, check_tensors, generation_ends, longest_context, tensor_shapes, text_config
from rdiverse.lm.tokenizer import ChatTokenizer
from rdiverse.lm.weights import CheckpointError, validate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class VllmEngine:
    """See Engine. `embeds`: the model turns texts into vectors instead of writing."""

    name = "vllm"
    exact_seeds = False

    def __init__(self, model: str, config: EngineConfig, *, embeds: bool = False) -> None:
        self._source = model
        self._config = config
        self._embeds = embeds
        self._llm: Any = None
        self.version = ""
        self._base = self._folder = Path()
        self._checkpoints = Checkpoints()
        self._text: Any = None
        self._tensors: dict[str, list[int]] = {}
        self.max_model_len = 0
        self.embedding_dimension = 0
        self.ready = False
        self._spoiled = False  # whether broken weights may have left something in the cache of keys and values
        self.waiting_rows = 0
        self.running_rows = 0
        self._requests = 0
        self._places = Places(config.max_batch_rows)
        self._weights = SharedLock()

    @property
    def healthy(self) -> bool:
        """Whether vLLM's engine process is there."""
        return self._llm is None or not self._llm.errored

    async def start(self) -> None:
        """Load the model and try it."""
        self._base = self._folder = await asyncio.to_thread(model_folder, self._source)
        self.version = await asyncio.to_thread(validate, self._folder)
        self._tokenizer = ChatTokenizer(self._folder)
        self._text = text = text_config(self._folder)
        self._tensors = await asyncio.to_thread(tensor_shapes, self._folder)
        self.max_model_len = min(self._config.max_model_len, longest_context(text) or self._config.max_model_len)
        self.embedding_dimension = int(text.hidden_size) if self._embeds else 0
        self._eos = self._tokenizer.eos(text, generation_ends(self._folder))
        self._llm = await asyncio.to_thread(
            vllm_library.make_llm, self._folder, self._config, self.max_model_len, embeds=self._embeds
        )
        await self._try()
        self.ready = True

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Completion, None]:
        """Give completions prompt by prompt, each prompt's samples together."""
        tokens = await self._admit(request)
        finished: asyncio.Queue[list[Completion] | BaseException] = asyncio.Queue()
        self.waiting_rows += len(tokens) * request.n

        async def one(position: int) -> None:
            try:
                finished.put_nowait(await self._complete(request, position, tokens[position]))
            except Exception as error:  # noqa: BLE001  raised again where the caller waits
                finished.put_nowait(error)

        work = [asyncio.create_task(one(position)) for position in range(len(tokens))]
        try:
            for _ in work:
                got = await finished.get()
                if isinstance(got, BaseException):
                    raise got
                for completion in got:
                    yield completion
        finally:
            for task in work:
                task.cancel()
            await asyncio.wait(work)

    async def _admit(self, request: GenerationRequest) -> list[list[int]]:
        """Check a request and encode its prompts."""
        tokens = await asyncio.to_thread(self._tokenizer.encode, request.prompts)
        check_lengths(request, tokens, self.max_model_len)
        if request.params.temperature > vllm_library.HOTTEST:
            raise InvalidFieldError("sampling.temperature", f"this server's engine, vLLM, takes at most {vllm_library.HOTTEST}")
        check_queue(self.waiting_rows, len(tokens) * request.n, self._config.max_queue_rows)
        return tokens

    async def _complete(self, request: GenerationRequest, position: int, ids: list[int]) -> list[Completion]:
        """All samples of one prompt."""
        waiting = request.n
        try:
            async with self._weights.shared():
                self._expect(request.expected_weights)
                version = self.version
                if len(ids) >= self.max_model_len:
                    return empty_completions(request, position, len(ids), version)
                async with self._places.held(request.n):
                    self.waiting_rows -= waiting
                    waiting = 0
                    output = await self._run(ids, request, position)
        finally:
            self.waiting_rows -= waiting
        return vllm_library.completions(request, position, output, version, self._tokenizer, self._eos)

    async def _run(self, ids: Sequence[int], request: GenerationRequest, position: int) -> Any:
        sampling = vllm_library.sampling(request, position, self.max_model_len - len(ids), self._eos)
        self._requests += 1
        self.running_rows += request.n
        try:
            prompt = {"prompt_token_ids": list(ids)}
            outputs = self._llm.generate(prompt, sampling, request_id=f"generate-{self._requests}")
            [output] = [found async for found in outputs]
        finally:
            self.running_rows -= request.n
        return output

    async def embed(self, texts: Sequence[str], expected_weights: str = "") -> "tuple[NDArray[np.float32], str]":
        """Unit vectors, (texts, dimension), and the version that made them."""
        import numpy as np

        tokens = await asyncio.to_thread(self._tokenizer.encode_texts, texts)
        check_texts(tokens, self.max_model_len)
        async with self._weights.shared():
            self._expect(expected_weights)
            vectors = np.stack(await asyncio.gather(*map(self._vector, tokens)))
            return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), self.version

    async def _vector(self, ids: Sequence[int]) -> "NDArray[np.float32]":
        import numpy as np
        from vllm import PoolingParams

        async with self._places.held(1):
            self._requests += 1
            self.running_rows += 1
            try:
                prompt = {"prompt_token_ids": list(ids)}
                outputs = self._llm.encode(prompt, PoolingParams(task="embed"), request_id=f"embed-{self._requests}")
                [output] = [found async for found in outputs]
            finally:
                self.running_rows -= 1
        return np.asarray(output.outputs.data.float().numpy(), dtype=np.float32)

    async def load_weights(self, folder: Path, version: str = "") -> float:
        """Put a checkpoint in place and try it; on a failure the old one is loaded again, and until then this is not ready.

        When the old one no longer lies where it was loaded from, this stays not ready until a load succeeds.
        """
        found = await asyncio.to_thread(checked_version, folder, version)
        if found == self.version and self.ready:
            return 0.0
        checkpoint = await asyncio.to_thread(self._checkpoints.full, folder, found, self._base)
        await asyncio.to_thread(check_same_shape, checkpoint, self._text)
        await asyncio.to_thread(check_tensors, checkpoint, self._tensors)
        async with self._weights.exclusive():
            begin = time.monotonic()
            self.ready = False
            try:
                await self._reload(checkpoint, found)
            except Exception as error:
                self._spoiled = True
                await self._go_back(folder, error)
                raise CheckpointError(f"{folder}: cannot be loaded: {error}") from error
            self._folder, self.version, self.ready = checkpoint, found, True
            paused = time.monotonic() - begin
        await asyncio.to_thread(self._checkpoints.keep, checkpoint)
        return paused

    async def _go_back(self, failed: Path, reason: Exception) -> None:
        """Load the old weights again, if they are still those. Raises CheckpointError."""
        try:
            if await asyncio.to_thread(validate, self._folder) != self.version:
                raise CheckpointError(f"{self._folder}: no longer holds version {self.version}")
            await self._reload(self._folder, self.version)
        except Exception as error:  # vLLM's own of any kind
            raise CheckpointError(f"{failed}: cannot be loaded: {reason}; nor can the old weights: {error}") from error
        self.ready = True

    async def _reload(self, folder: Path, version: str) -> None:
        await self._llm.pause_generation(mode="wait", clear_cache=True)
        try:
            await self._llm.collective_rpc("reload_weights", kwargs={"weights_path": str(folder)})
            if self._spoiled:
                await self._llm.collective_rpc("zero_attention_cache")
            await self._llm.reset_prefix_cache()
            await self._llm.update_weight_version(version)
        finally:
            await self._llm.resume_generation()
        await self._try()
        self._spoiled = False

    async def _try(self) -> None:
        """The start-up check. Raises CheckpointError."""
        try:
            if self._embeds:
                [ids] = self._tokenizer.encode_texts([canary.PROMPT.user])
                canary.check_vector(await self._vector(ids))
            else:
                [ids] = self._tokenizer.encode([canary.PROMPT])
                output = await self._run(ids, GenerationRequest([canary.PROMPT], 1, canary.PARAMS, logprobs=True), 0)
                canary.check_numbers(vllm_library.logprobs(output.outputs[0]))
        except canary.BrokenModelError as error:
            raise CheckpointError(f"does not pass a trial generation: {error}") from error

    async def close(self) -> None:
        """Stop vLLM's processes. What runs is dropped: drain first."""
        self.ready = False
        if self._llm is not None:
            await asyncio.to_thread(self._llm.shutdown)
        await asyncio.to_thread(self._checkpoints.close)

    def _expect(self, expected: str) -> None:
        if not self.ready:
            raise DependencyUnavailableError("engine", "no weights are loaded that passed their trial; load others")
        if expected and expected != self.version:
            raise WrongWeightsError(expected, self.version)
