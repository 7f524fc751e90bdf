"""LanguageModelService: plain generation and embedding, for every role."""

from collections.abc import AsyncIterator
from typing import Any

import grpc

from rdiverse.grpcio_kit.errors import InvalidFieldError, ServiceError
from rdiverse.inference import metrics
from rdiverse.inference.engines.engine import GenerationRequest, PromptTooLongError
from rdiverse.inference.host import ModelHost
from rdiverse.inference.servicers.validation import check_embed, check_generate
from rdiverse.inference.servicers.wire import finish_reason
from rdiverse.v1.errors_pb2 import ErrorReason
from rdiverse.v1.language_model_pb2 import EmbedRequest, EmbedResponse, GenerateRequest, GenerateResponse
from rdiverse.v1.language_model_pb2_grpc import LanguageModelServiceServicer


class LanguageModelServicer(LanguageModelServiceServicer):
    """Gives the model of the host without any role."""

    def __init__(self, host: ModelHost) -> None:
        self._host = host

    async def Generate(self, request: GenerateRequest, context: Any) -> AsyncIterator[GenerateResponse]:  # noqa: ARG002, N802
        """See proto/rdiverse/v1/language_model.proto."""
        host = self._host
        prompts, params = check_generate(request, host.defaults())
        host.expect(request.expected_weights)
        generation = GenerationRequest(
            prompts=prompts,
            n=request.n,
            params=params,
            seed=request.seed if request.HasField("seed") else None,
            expected_weights=request.expected_weights,
            logprobs=request.return_logprobs,
        )
        async for completion in host.generate(generation):
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
        engine = self._host.engine
        if not engine.embedding_dimension:
            raise ServiceError(
                grpc.StatusCode.NOT_FOUND,
                ErrorReason.ERROR_REASON_UNKNOWN_MODEL,
                f"this {self._host.role} writes and does not embed",
            )
        self._host.expect(request.expected_weights)
        try:
            vectors, version = await engine.embed(list(request.texts), request.expected_weights)
        except PromptTooLongError as error:
            raise InvalidFieldError(f"texts[{error.index}]", str(error)) from error
        metrics.EMBEDDED.labels(self._host.role).inc(len(request.texts))
        return EmbedResponse(vectors=vectors.astype("<f4").tobytes(), dimension=vectors.shape[1], weights=version)
