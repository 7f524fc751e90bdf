"""ModelControlService: what is served, and new weights without a restart."""

from typing import Any

from rdiverse.inference.host import ModelHost
from rdiverse.inference.servicers.validation import check_load
from rdiverse.v1.model_control_pb2 import GetModelRequest, GetModelResponse, LoadWeightsRequest, LoadWeightsResponse
from rdiverse.v1.model_control_pb2_grpc import ModelControlServiceServicer


class ModelControlServicer(ModelControlServiceServicer):
    """Speaks for the host's engine."""

    def __init__(self, host: ModelHost) -> None:
        self._host = host

    async def GetModel(self, request: GetModelRequest, context: Any) -> GetModelResponse:  # noqa: ARG002, N802
        """See proto/rdiverse/v1/model_control.proto."""
        engine = self._host.engine
        return GetModelResponse(
            role=self._host.role,
            engine=engine.name,
            weights=engine.version,
            ready=self._host.ready,
            max_model_len=engine.max_model_len,
            embedding_dimension=engine.embedding_dimension,
        )

    async def LoadWeights(self, request: LoadWeightsRequest, context: Any) -> LoadWeightsResponse:  # noqa: ARG002, N802
        """See proto/rdiverse/v1/model_control.proto."""
        check_load(request)
        paused = await self._host.load_weights(request.path, request.version)
        return LoadWeightsResponse(weights=self._host.engine.version, paused_seconds=paused)
