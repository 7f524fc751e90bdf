"""Clients of the inference servers. Synchronous; import nothing but grpc, numpy and the wire."""

from rdiverse.grpcio_kit.client import RpcFailure
from rdiverse.inference.client.services import ChallengerClient, LanguageModelClient, ModelControlClient, SolverClient
from rdiverse.inference.client.types import Generated, Model, Proposed, Sample, SamplingLike, Solved

__all__ = [
    "ChallengerClient",
    "Generated",
    "LanguageModelClient",
    "Model",
    "ModelControlClient",
    "Proposed",
    "RpcFailure",
    "Sample",
    "SamplingLike",
    "Solved",
    "SolverClient",
]
