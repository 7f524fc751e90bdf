"""The client of the diversity service, for any program. Imports only grpc, the stubs, numpy and the method's constants.

client = DiversityClient("127.0.0.1:50051")
batch = client.score("my-run", ["What is 2 + 3?", "What is 4 * 5?"], before_iteration=2)
print([score.p_rep for score in batch.scores])
"""

from rdiverse.diversity.client.calls import items_digest
from rdiverse.diversity.client.client import AsyncDiversityClient, DiversityClient
from rdiverse.diversity.client.types import (
    BatchScore,
    Committed,
    Distance,
    Item,
    MemoryItem,
    Neighbors,
    Replay,
    Representation,
    Run,
    Score,
    Stats,
)
from rdiverse.grpcio_kit.client import RpcFailure
from rdiverse.selfplay.rewards import PenaltyConstants

__all__ = [
    "AsyncDiversityClient", "BatchScore", "Committed", "Distance", "DiversityClient", "Item", "MemoryItem", "Neighbors",
    "PenaltyConstants", "Replay", "Representation", "RpcFailure", "Run", "Score", "Stats", "items_digest",
]  # fmt: skip
