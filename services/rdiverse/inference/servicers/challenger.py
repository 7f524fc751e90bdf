"""ChallengerService: questions from the one fixed prompt."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from rdiverse.inference import metrics
from rdiverse.inference.engines.engine import Completion
from rdiverse.inference.host import ModelHost
from rdiverse.inference.servicers.validation import read_propose
from rdiverse.inference.servicers.wire import finish_reason
from rdiverse.selfplay.parsing import parse_proposal
from rdiverse.v1.challenger_pb2 import ProposeRequest, ProposeResponse
from rdiverse.v1.challenger_pb2_grpc import ChallengerServiceServicer


class ChallengerServicer(ChallengerServiceServicer):
    """Writes questions with the model of the host."""

    def __init__(self, host: ModelHost) -> None:
        self._host = host

    async def Propose(self, request: ProposeRequest, context: Any) -> AsyncIterator[ProposeResponse]:  # noqa: ARG002, N802
        """See proto/rdiverse/v1/challenger.proto."""
        host = self._host
        prompt = host.config.prompts.challenger.template.render()
        whole = replace(read_propose(request, host.defaults()), prompts=[prompt])
        for at in range(0, whole.n, host.window_rows):
            part = replace(whole, n=min(host.window_rows, whole.n - at), first_sample=whole.first_sample + at)
            async for completion in host.generate(part, "prompts.challenger"):
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
