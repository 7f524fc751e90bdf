"""LanguageModelService: plain generation and embedding, for every role."""

from collections.abc import AsyncIterator
from typing import Any

from rdiverse.inference.host import ModelHost
from rdiverse.inference.servicers.validation import check_embed, read_generate
from rdiverse.inference.servicers.wire import finish_reason
from rdiverse.v1.language_model_pb2 import EmbedRequest, EmbedResponse, GenerateRequest, GenerateResponse
from rdiverse.v1.language_model_pb2_grpc import LanguageModelServiceServicer


class LanguageModelServicer(LanguageModelServiceServicer):
    """Gives the model of the host without any role."""

    def __init__(self, host: ModelHost) -> None:
        self._host = host

    async def Generate(self, request: GenerateRequest, context: Any) -> AsyncIterator[GenerateResponse]:  # noqa: ARG002, N802
        """See proto/rdiverse/v1/language_model.proto."""
        async for completion in self._host.generate(read_generate(request, self._host.defaults())):
            yield GenerateResponse(
                prompt_index=completion.prompt_index,
                sample_index=completion.sample_index,
                text=completion.text,
                finish_reason=finish_reason(completion),
                prompt_tokens=completion.prompt_tokens,
                completion_tokens=completion.completion_tokens,
                logprobs=completion.logprobs,
                weights=completion.weights,
            )

    async def Embed(self, request: EmbedRequest, context: Any) -> EmbedResponse:  # noqa: ARG002, N802
        """See proto/rdiverse/v1/language_model.proto."""
        check_embed(request)
        vectors, version = await self._host.embed(list(request.texts), request.expected_weights)
        return EmbedResponse(vectors=vectors.astype("<f4").tobytes(), dimension=vectors.shape[1], weights=version)
