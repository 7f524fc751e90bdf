"""Small translations between an engine's words and the wire's."""

from rdiverse.inference.engines.engine import Completion, Finish
from rdiverse.v1.sampling_pb2 import FinishReason


def finish_reason(completion: Completion) -> FinishReason.ValueType:
    """Why a completion ended, as the wire says it."""
    if completion.finish is Finish.STOP:
        return FinishReason.FINISH_REASON_STOP
    return FinishReason.FINISH_REASON_LENGTH
