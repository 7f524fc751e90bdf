"""kserve's own servicer with the model of the host behind it, its known faults mended by subclassing.

Imports kserve, which is slow: only open_inference imports this module.
"""

import functools
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import kserve
from kserve.errors import InferenceError, InvalidInput, ModelNotFound, ModelNotReady
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.grpc import grpc_predict_v2_pb2_grpc
from kserve.protocol.grpc.servicer import InferenceServicer
from kserve.protocol.model_repository_extension import ModelRepositoryExtension

from rdiverse.grpcio_kit.errors import DependencyUnavailableError, InvalidFieldError, ServiceError, UnknownModelError
from rdiverse.inference.host import ModelHost
from rdiverse.inference.servicers.kserve_model import RoleModel
from rdiverse.v1.errors_pb2 import ErrorReason


def handlers(host: ModelHost) -> dict[str, Any]:
    """The protocol's method handlers by name."""
    models = kserve.ModelRepository()
    models.update(RoleModel(host))
    servicer = InferenceServicer(_HostPlane(host, models), _Repository(host, models))
    recorder = _Recorder()
    grpc_predict_v2_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(servicer, recorder)
    return {
        name: grpc.unary_unary_rpc_method_handler(
            _readable(handler.unary_unary), handler.request_deserializer, handler.response_serializer
        )
        for name, handler in recorder.handlers.items()
    }


class _Recorder:
    """Stands where a server would, to get at the handlers."""

    def __init__(self) -> None:
        self.handlers: dict[str, Any] = {}

    def add_generic_rpc_handlers(self, _handlers: Any) -> None:
        """The same handlers come by name below."""

    def add_registered_method_handlers(self, _service: str, method_handlers: dict[str, Any]) -> None:
        self.handlers.update(method_handlers)


def _readable(call: Callable[[Any, Any], Awaitable[Any]]) -> Callable[[Any, Any], Awaitable[Any]]:
    """Turn kserve's exceptions into the errors of all services."""

    @functools.wraps(call)
    async def answer(request: Any, context: Any) -> Any:
        try:
            return await call(request, context)
        except ModelNotFound as error:
            raise UnknownModelError(str(error)) from error
        except (InvalidInput, InferenceError) as error:
            raise InvalidFieldError("inputs", str(error)) from error
        except ModelNotReady as error:
            raise DependencyUnavailableError("engine", str(error)) from error

    return answer


class _HostPlane(DataPlane):  # type: ignore[misc]
    """Readiness is the host's, not always true."""

    def __init__(self, host: ModelHost, models: kserve.ModelRepository) -> None:
        super().__init__(model_registry=models)
        self._host = host

    async def ready(self) -> bool:
        return self._host.ready


class _Repository(ModelRepositoryExtension):  # type: ignore[misc]
    """Loads the checkpoint that lies where the server's model came from. kserve's own returns nothing and then fails on it."""

    def __init__(self, host: ModelHost, models: kserve.ModelRepository) -> None:
        super().__init__(model_registry=models)
        self._host = host

    async def load(self, model_name: str) -> dict[str, Any]:
        if model_name != self._host.role:
            raise ModelNotFound(model_name)
        await self._host.load_weights(self._host.source(), "")
        return {"name": model_name, "load": True}

    async def unload(self, model_name: str) -> dict[str, Any]:
        if model_name != self._host.role:
            raise ModelNotFound(model_name)
        raise ServiceError(
            grpc.StatusCode.UNIMPLEMENTED,
            ErrorReason.ERROR_REASON_UNKNOWN_MODEL,
            f"{model_name} is this server's only model and stays; stop the server instead",
        )
