"""ChallengerService: questions from the one fixed prompt."""

from collections.abc import AsyncIterator
from typing import Any

from rdiverse.inference import metrics
from rdiverse.inference.engines.engine import Completion, GenerationRequest
from rdiverse.inference.host import ModelHost
from rdiverse.inference.servicers.validation import check_propose
from rdiverse.inference.servicers.wire import finish_reason
from rdiverse.selfplay.parsing import parse_proposal
from rdiverse.v1.challenger_pb2 import ProposeRequest, ProposeResponse
from rdiverse.v1.challenger_pb2_grpc import ChallengerServiceServicer

_WINDOW_BATCHES = 4
"""Batches asked of the engine at once. Between windows a change of weights or another call gets its turn."""


class ChallengerServicer(ChallengerServiceServicer):
    """Writes questions with the model of the host."""

    def __init__(self, host: ModelHost) -> None:
        self._host = host

    async def Propose(self, request: ProposeRequest, context: Any) -> AsyncIterator[ProposeResponse]:  # noqa: ARG002, N802
        """See proto/rdiverse/v1/challenger.proto."""
        host = self._host
        params = check_propose(request, host.config.challenger.sampling)
        host.expect(request.expected_weights)
        prompt = host.config.prompts.challenger.template.render()
        window = _WINDOW_BATCHES * host.max_batch_rows
        for at in range(0, request.count, window):
            generation = GenerationRequest(
                prompts=[prompt],
                n=min(window, request.count - at),
                params=params,
                seed=request.seed if request.HasField("seed") else None,
                first_sample=request.first_index + at,
                expected_weights=request.expected_weights,
            )
            async for completion in host.generate(generation, "prompts.challenger"):
                yield _response(completion)


def _response(completion: Completion) -> ProposeResponse:
    proposal = parse_proposal(completion.text)
    metrics.PROPOSED.inc()
    if proposal is None:
        metrics.MALFORMED.inc()
    return ProposeResponse(
        index=completion.sample_index,
        text=completion.text,
        question=proposal.question if proposal else None,
        answer=proposal.answer if proposal else None,
        finish_reason=finish_reason(completion),
        completion_tokens=completion.completion_tokens,
        weights=completion.weights,
    )
