"""The coder and the encoder behind their servers."""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Generic, TypeVar

import grpc
import grpc.aio
import numpy as np
from numpy.typing import NDArray

from rdiverse.diversity import metrics
from rdiverse.diversity.sam.cache import content_key
from rdiverse.grpcio_kit.channels import aio_channel
from rdiverse.grpcio_kit.client import RpcFailure
from rdiverse.grpcio_kit.errors import DependencyUnavailableError
from rdiverse.selfplay.echoes import check_echo, is_near_echo
from rdiverse.selfplay.extraction import find_program
from rdiverse.selfplay.programs import Program, ProgramError, ProgramFault
from rdiverse.selfplay.prompts import PromptTemplate
from rdiverse.v1 import language_model_pb2 as pb
from rdiverse.v1 import model_control_pb2
from rdiverse.v1.language_model_pb2_grpc import LanguageModelServiceStub
from rdiverse.v1.model_control_pb2_grpc import ModelControlServiceStub
from rdiverse.v1.sampling_pb2 import Sampling

log = logging.getLogger(__name__)

V = TypeVar("V")

_VERSION_SECONDS = 10.0
_VERSION_TIMEOUT = 5.0
_PROMPTS_AT_ONCE = 4096
_TEXTS_AT_ONCE = 1024
_RETRY_TEMPERATURE = 0.6
_RETRY_SEED = 1
_NOTHING = ProgramError("the coder wrote nothing", ProgramFault.EMPTY)
_MANY_NEAR_ECHOES = 0.3
"""Share of a batch above which programs with the computation of the prompt's example are suspicious (docs/method.md)."""
_FEW_PROGRAMS = 10
"""Of so few a share says nothing."""


class _RemoteModel(Generic[V]):
    """What coder and encoder share: a channel, the version of the weights behind it, and how many texts are asked."""

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

    async def _ask(
        self,
        texts: Sequence[str],
        at_once: int,
        field: str,
        call: Callable[[Sequence[str]], Awaitable[Sequence[V | ProgramError]]],
    ) -> list[V | ProgramError]:
        """What `call` gives for the texts, `at_once` at a time. Raises DependencyUnavailableError.

        Texts that the server finds fault with (`field` names them in its error) are left out, and the others asked again.
        """
        unreadable = ProgramError(f"the {self._name} cannot read this (too long for it)", ProgramFault.REFUSED)
        results: list[V | ProgramError] = [unreadable] * len(texts)
        waiting = list(range(len(texts)))
        while waiting:
            asked = waiting[:at_once]
            try:
                made = await call([texts[index] for index in asked])
            except grpc.aio.AioRpcError as error:
                refused = _refused(error, field, len(asked))
                if not refused:
                    raise self._unavailable(error) from error
                waiting = [index for position, index in enumerate(waiting) if position not in refused]
                continue
            for index, result in zip(asked, made, strict=True):
                results[index] = result
            waiting = waiting[at_once:]
        return results

    def _unavailable(self, error: grpc.aio.AioRpcError) -> DependencyUnavailableError:
        self._version = None
        if error.code() is grpc.StatusCode.FAILED_PRECONDITION:
            return DependencyUnavailableError(self._name, "changed its weights during the call")
        return DependencyUnavailableError(self._name, f"does not answer ({error.code().name})")


class RemoteCoder(_RemoteModel[Program]):
    """Writes the program that solves a question. `LanguageModel.Generate` at temperature 0, batched."""

    def __init__(self, address: str, prompt: PromptTemplate, max_tokens: int, retry_max_tokens: int) -> None:
        """`retry_max_tokens`: room for the second try of a question whose first gave no program."""
        super().__init__("coder", address)
        self._prompt = prompt
        self._max_tokens = (max_tokens, retry_max_tokens)
        self._instructions = content_key(prompt.system, prompt.user, str(self._max_tokens)).hex()[:8]

    async def version(self) -> str:
        """Changes whenever the coder may write other programs."""
        return f"{await self.weights()}-{self._instructions}"

    async def make(self, texts: Sequence[str], seconds: float) -> list[str | ProgramError]:
        """One program a question of `texts`, or why there is none after one retry. Raises DependencyUnavailableError."""
        end = time.monotonic() + seconds
        results: list[Program | ProgramError] = [_NOTHING] * len(texts)
        for attempt in range(len(self._max_tokens)):
            missing = [index for index, result in enumerate(results) if isinstance(result, ProgramError)]
            questions = [texts[index] for index in missing]
            written = await self._ask(questions, _PROMPTS_AT_ONCE, "prompts", partial(self._write, attempt, end))
            for index, result in zip(missing, written, strict=True):
                results[index] = result
        # In a thread: thousands of syntax trees are compared, and health checks must not wait for that.
        await asyncio.to_thread(self._count_near_echoes, [result for result in results if isinstance(result, Program)])
        return [result.text if isinstance(result, Program) else result for result in results]

    async def _write(self, attempt: int, end: float, questions: Sequence[str]) -> list[Program | ProgramError]:
        prompts = [self._prompt.render(question) for question in questions]
        request = pb.GenerateRequest(
            prompts=[pb.Prompt(system=prompt.system, user=prompt.user) for prompt in prompts],
            n=1,
            # At temperature 0 a second try would write the same again.
            sampling=Sampling(temperature=_RETRY_TEMPERATURE if attempt else 0.0, max_tokens=self._max_tokens[attempt]),
            seed=_RETRY_SEED if attempt else None,
            expected_weights=self._expected,
        )
        results: list[Program | ProgramError] = [_NOTHING] * len(questions)
        async for response in self._stub.Generate(request, timeout=max(end - time.monotonic(), 0.001)):
            index = response.prompt_index
            results[index] = await asyncio.to_thread(self._program_or_why, response.text, questions[index])
        return results

    def _program_or_why(self, completion: str, question: str) -> Program | ProgramError:
        try:
            program = find_program(completion)
            check_echo(program, self._prompt, question)
        except ProgramError as error:
            return error
        return program

    def _count_near_echoes(self, programs: Sequence[Program]) -> None:
        near = sum(is_near_echo(program, self._prompt) for program in programs)
        metrics.NEAR_ECHOES.inc(near)
        if len(programs) >= _FEW_PROGRAMS and near > _MANY_NEAR_ECHOES * len(programs):
            log.warning(
                "%d of %d programs are the computation of the coder's example with other numbers: can this coder write others?",
                near, len(programs),
            )  # fmt: skip


class RemoteEncoder(_RemoteModel[NDArray[np.float32]]):
    """Embeds texts by a model. `LanguageModel.Embed`, batched."""

    def __init__(self, address: str) -> None:
        super().__init__("encoder", address)

    async def version(self) -> str:
        """Changes whenever the encoder may give other vectors."""
        return f"model-{await self.weights()}"

    async def make(self, texts: Sequence[str], seconds: float) -> list[NDArray[np.float32] | ProgramError]:
        """One unit vector (dimension,) a text, or why there is none. Raises DependencyUnavailableError."""
        return await self._ask(texts, _TEXTS_AT_ONCE, "texts", partial(self._embed, time.monotonic() + seconds))

    async def _embed(self, end: float, texts: Sequence[str]) -> list[NDArray[np.float32] | ProgramError]:
        request = pb.EmbedRequest(texts=texts, expected_weights=self._expected)
        response = await self._stub.Embed(request, timeout=max(end - time.monotonic(), 0.001))
        return list(np.frombuffer(response.vectors, dtype="<f4").reshape(-1, response.dimension))


def _refused(error: grpc.aio.AioRpcError, field: str, asked: int) -> set[int]:
    """Positions in a repeated field that the server finds fault with; empty when the fault is another."""
    if error.code() is not grpc.StatusCode.INVALID_ARGUMENT:
        return set()
    failure = RpcFailure("LanguageModelService", "its address", error)
    found = {int(match[1]) for name, _ in failure.fields if (match := re.match(rf"{field}\[(\d+)\]", name))}
    return {position for position in found if position < asked}
