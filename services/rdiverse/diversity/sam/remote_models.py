"""The coder and the encoder behind their servers."""

import asyncio
import re
import time
from collections.abc import Sequence

import grpc
import grpc.aio
import numpy as np
from numpy.typing import NDArray

from rdiverse.diversity.sam.cache import content_key
from rdiverse.diversity.sam.program import ProgramError, program_of
from rdiverse.grpcio_kit.aio_client import aio_failure
from rdiverse.grpcio_kit.channels import aio_channel
from rdiverse.grpcio_kit.errors import DependencyUnavailableError
from rdiverse.selfplay.prompts import PromptTemplate
from rdiverse.v1 import language_model_pb2 as pb
from rdiverse.v1 import model_control_pb2
from rdiverse.v1.language_model_pb2_grpc import LanguageModelServiceStub
from rdiverse.v1.model_control_pb2_grpc import ModelControlServiceStub
from rdiverse.v1.sampling_pb2 import Sampling

_VERSION_SECONDS = 10.0
_VERSION_TIMEOUT = 5.0
_PROMPTS_AT_ONCE = 4096
_TEXTS_AT_ONCE = 1024
_RETRY_TEMPERATURE = 0.6
_RETRY_SEED = 1
_ATTEMPTS = 2


class _RemoteModel:
    """What coder and encoder share: a channel, and the version of the weights behind it."""

    def __init__(self, name: str, address: str) -> None:
        self._name = name
        self._channel = aio_channel(address)
        self._stub = LanguageModelServiceStub(self._channel)
        self._control = ModelControlServiceStub(self._channel)
        self._version: tuple[str, float] | None = None
        self._expected = ""
        """The version told last: what is made by others would be kept under the wrong name."""

    async def weights(self) -> str:
        """Version of the weights, at most ten seconds old. Raises DependencyUnavailableError."""
        if self._version is None or self._version[1] < time.monotonic():
            try:
                model = await self._control.GetModel(model_control_pb2.GetModelRequest(), timeout=_VERSION_TIMEOUT)
            except grpc.aio.AioRpcError as error:
                raise self._unavailable(error) from error
            self._version = (model.weights, time.monotonic() + _VERSION_SECONDS)
        self._expected = self._version[0]
        return self._expected

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close()

    def _unavailable(self, error: grpc.aio.AioRpcError) -> DependencyUnavailableError:
        self._version = None
        if error.code() is grpc.StatusCode.FAILED_PRECONDITION:
            return DependencyUnavailableError(self._name, "changed its weights during the call")
        return DependencyUnavailableError(self._name, f"does not answer ({error.code().name})")


class RemoteCoder(_RemoteModel):
    """Writes the program that solves a question. `LanguageModel.Generate` at temperature 0, batched."""

    def __init__(self, address: str, prompt: PromptTemplate, max_tokens: int) -> None:
        super().__init__("coder", address)
        self._prompt = prompt
        self._max_tokens = max_tokens
        self._asked = content_key(prompt.system, prompt.user, str(max_tokens)).hex()[:8]

    async def version(self) -> str:
        """Changes whenever the coder may write other programs."""
        return f"{await self.weights()}-{self._asked}"

    async def make(self, texts: Sequence[str], seconds: float) -> list[str | ProgramError]:
        """One program a question of `texts`, or why there is none after one retry. Raises DependencyUnavailableError."""
        results: list[str | ProgramError] = [ProgramError("the coder wrote nothing")] * len(texts)
        waiting = list(range(len(texts)))
        end = time.monotonic() + seconds
        for attempt in range(_ATTEMPTS):
            for start in range(0, len(waiting), _PROMPTS_AT_ONCE):
                some = waiting[start : start + _PROMPTS_AT_ONCE]
                written = await self._generate([texts[index] for index in some], attempt, end - time.monotonic())
                for index, result in zip(some, written, strict=True):
                    results[index] = result
            waiting = [index for index in waiting if isinstance(results[index], ProgramError)]
        return results

    async def _generate(self, questions: Sequence[str], attempt: int, seconds: float) -> list[str | ProgramError]:
        prompts = [self._prompt.render(question) for question in questions]
        results: list[str | ProgramError] = [ProgramError("the coder wrote nothing")] * len(questions)
        asked = list(range(len(questions)))
        while asked:
            request = pb.GenerateRequest(
                prompts=[pb.Prompt(system=prompts[index].system, user=prompts[index].user) for index in asked],
                n=1,
                # At temperature 0 a second try would write the same again.
                sampling=Sampling(temperature=_RETRY_TEMPERATURE if attempt else 0.0, max_tokens=self._max_tokens),
                seed=_RETRY_SEED if attempt else None,
                expected_weights=self._expected,
            )
            try:
                async for response in self._stub.Generate(request, timeout=max(seconds, 0.001)):
                    index = asked[response.prompt_index]
                    try:
                        results[index] = await asyncio.to_thread(program_of, response.text, prompts[index])
                    except ProgramError as error:
                        results[index] = error
                return results
            except grpc.aio.AioRpcError as error:
                refused = _refused(error, "prompts", len(asked))
                if not refused:
                    raise self._unavailable(error) from error
                for position in refused:
                    results[asked[position]] = ProgramError("the coder cannot read this question (too long for it)")
                asked = [index for position, index in enumerate(asked) if position not in refused]
        return results


class RemoteEncoder(_RemoteModel):
    """Embeds texts by a model. `LanguageModel.Embed`, batched."""

    def __init__(self, address: str) -> None:
        super().__init__("encoder", address)

    async def version(self) -> str:
        """Changes whenever the encoder may give other vectors."""
        return f"model-{await self.weights()}"

    async def make(self, texts: Sequence[str], seconds: float) -> list[NDArray[np.float32] | ProgramError]:
        """One unit vector (dimension,) a text, or why there is none. Raises DependencyUnavailableError."""
        results: list[NDArray[np.float32] | ProgramError] = []
        end = time.monotonic() + seconds
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            results += await self._embed(texts[start : start + _TEXTS_AT_ONCE], end)
        return results

    async def _embed(self, texts: Sequence[str], end: float) -> list[NDArray[np.float32] | ProgramError]:
        results: list[NDArray[np.float32] | ProgramError] = [
            ProgramError("the encoder cannot read this (too long for it)") for _ in texts
        ]
        asked = list(range(len(texts)))
        while asked:
            request = pb.EmbedRequest(texts=[texts[index] for index in asked], expected_weights=self._expected)
            try:
                response = await self._stub.Embed(request, timeout=max(end - time.monotonic(), 0.001))
            except grpc.aio.AioRpcError as error:
                refused = _refused(error, "texts", len(asked))
                if not refused:
                    raise self._unavailable(error) from error
                asked = [index for position, index in enumerate(asked) if position not in refused]
                continue
            vectors = np.frombuffer(response.vectors, dtype="<f4").reshape(-1, response.dimension)
            for index, vector in zip(asked, vectors, strict=True):
                results[index] = vector
            break
        return results


def _refused(error: grpc.aio.AioRpcError, field: str, asked: int) -> set[int]:
    """Positions in a repeated field that the server finds fault with; empty when the fault is another."""
    if error.code() is not grpc.StatusCode.INVALID_ARGUMENT:
        return set()
    failure = aio_failure("LanguageModelService", "its address", error)
    found = {int(match[1]) for name, _ in failure.fields if (match := re.match(rf"{field}\[(\d+)\]", name))}
    return {position for position in found if position < asked}
