"""kserve's own servicer with the model of the host behind it, its known faults mended by subclassing.

Imports kserve, which is slow: only open_inference imports this module.
"""

import functools
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import kserve
import numpy as np
from kserve.errors import InferenceError, InvalidInput, ModelNotFound, ModelNotReady
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.grpc import grpc_predict_v2_pb2_grpc
from kserve.protocol.grpc.servicer import InferenceServicer
from kserve.protocol.model_repository_extension import ModelRepositoryExtension

from rdiverse.grpcio_kit.errors import DependencyUnavailableError, InvalidFieldError, ServiceError
from rdiverse.inference.engines.engine import GenerationRequest, PromptTooLongError
from rdiverse.inference.host import ModelHost
from rdiverse.inference.servicers.validation import check_embed, check_generate
from rdiverse.v1.errors_pb2 import ErrorReason
from rdiverse.v1.language_model_pb2 import EmbedRequest, GenerateRequest, Prompt

TEXT, SYSTEM, EMBEDDING = "text", "system", "embedding"
_NUMBERS: dict[str, type[int] | type[float]] = {"temperature": float, "top_p": float, "top_k": int, "max_tokens": int}
"""Sampling parameters. The protocol's parameters hold no fractions, so numbers may also come as strings."""


def handlers(host: ModelHost) -> dict[str, Any]:
    """The protocol's method handlers by name."""
    models = kserve.ModelRepository()
    models.update(_RoleModel(host))
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
            raise ServiceError(grpc.StatusCode.NOT_FOUND, ErrorReason.ERROR_REASON_UNKNOWN_MODEL, str(error)) from error
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
        await self._host.load_weights(str(self._host.source()), "")
        return {"name": model_name, "load": True}

    async def unload(self, model_name: str) -> dict[str, Any]:
        if model_name != self._host.role:
            raise ModelNotFound(model_name)
        raise ServiceError(
            grpc.StatusCode.UNIMPLEMENTED,
            ErrorReason.ERROR_REASON_UNKNOWN_MODEL,
            f"{model_name} is this server's only model and stays; stop the server instead",
        )


class _RoleModel(kserve.Model):  # type: ignore[misc]
    """The host's model under the name of its role."""

    def __init__(self, host: ModelHost) -> None:
        super().__init__(host.role)
        self._host = host

    async def healthy(self) -> bool:
        return self._host.ready

    def load(self) -> bool:
        return self._host.ready

    def get_input_types(self) -> list[dict[str, Any]]:
        inputs = [{"name": TEXT, "datatype": "BYTES", "shape": [-1]}]
        return inputs if self._embeds else [*inputs, {"name": SYSTEM, "datatype": "BYTES", "shape": [-1]}]

    def get_output_types(self) -> list[dict[str, Any]]:
        if self._embeds:
            return [{"name": EMBEDDING, "datatype": "FP32", "shape": [-1, self._host.engine.embedding_dimension]}]
        return [{"name": TEXT, "datatype": "BYTES", "shape": [-1]}]

    async def predict(self, payload: kserve.InferRequest, headers: Any = None) -> kserve.InferResponse:  # noqa: ARG002
        """Embed each text, or complete it `n` times: outputs prompt by prompt, sample by sample.

        Parameters: n, seed, temperature, top_p, top_k, max_tokens, expected_weights; as in LanguageModelService.
        """
        parameters = {name: _plain(value) for name, value in (payload.parameters or {}).items()}
        expected = str(parameters.pop("expected_weights", ""))
        texts = _texts(payload, TEXT)
        if self._embeds:
            output, version = await self._embed(texts, expected)
        else:
            output, version = await self._generate(texts, _texts(payload, SYSTEM, optional=True), parameters, expected)
        return kserve.InferResponse(payload.id or "", self.name, [output], parameters={"weights": version})

    @property
    def _embeds(self) -> bool:
        return self._host.engine.embedding_dimension > 0

    async def _embed(self, texts: list[str], expected: str) -> tuple[kserve.InferOutput, str]:
        check_embed(EmbedRequest(texts=texts, expected_weights=expected))
        self._host.expect(expected)
        try:
            vectors, version = await self._host.engine.embed(texts, expected)
        except PromptTooLongError as error:
            raise InvalidFieldError(f"inputs.{TEXT}[{error.index}]", str(error)) from error
        output = kserve.InferOutput(EMBEDDING, list(vectors.shape), "FP32")
        output.set_data_from_numpy(vectors.astype(np.float32))
        return output, version

    async def _generate(
        self, texts: list[str], systems: list[str], parameters: dict[str, Any], expected: str
    ) -> tuple[kserve.InferOutput, str]:
        if systems and len(systems) != len(texts):
            raise InvalidFieldError(f"inputs.{SYSTEM}", f"must hold one string for each of the {len(texts)} texts")
        request = GenerateRequest(
            prompts=[Prompt(user=text, system=systems[i] if systems else "") for i, text in enumerate(texts)],
            n=_number(parameters, "n", int, 1),
            expected_weights=expected,
        )
        seed = _number(parameters, "seed", int, None)
        if seed is not None and not 0 <= seed < 2**64:
            raise InvalidFieldError("parameters.seed", f"must lie in 0 to 2**64 - 1, not {seed}")
        for name, kind in _NUMBERS.items():
            value = _number(parameters, name, kind, None)
            if value is not None:
                try:
                    setattr(request.sampling, name, value)
                except ValueError as error:
                    raise InvalidFieldError(f"parameters.{name}", str(error)) from error
        prompts, params = check_generate(request, self._host.defaults())
        self._host.expect(expected)
        generation = GenerationRequest(prompts, request.n, params, seed, expected_weights=expected)
        found = [completion async for completion in self._host.generate(generation, f"inputs.{TEXT}[{{}}]")]
        found.sort(key=lambda completion: (completion.prompt_index, completion.sample_index))
        output = kserve.InferOutput(TEXT, [len(found)], "BYTES")
        output.set_data_from_numpy(np.array([completion.text.encode() for completion in found], dtype=object))
        return output, found[-1].weights


def _texts(payload: kserve.InferRequest, name: str, *, optional: bool = False) -> list[str]:
    tensor = next((found for found in payload.inputs if found.name == name), None)
    if tensor is None:
        if optional:
            return []
        raise InvalidFieldError(f"inputs.{name}", "is missing")
    if tensor.datatype != "BYTES":
        raise InvalidFieldError(f"inputs.{name}", f"must have datatype BYTES, not {tensor.datatype}")
    try:
        values = tensor.as_numpy().reshape(-1)
        return [value.decode() if isinstance(value, bytes) else str(value) for value in values]
    except (ValueError, struct.error) as error:  # a shape that does not fit, a length that lies, or no UTF-8
        raise InvalidFieldError(f"inputs.{name}", f"is no tensor of UTF-8 strings: {error}") from error


def _plain(value: Any) -> Any:
    """A parameter as Python has it; over gRPC it comes wrapped."""
    kind = value.WhichOneof("parameter_choice") if hasattr(value, "WhichOneof") else None
    return getattr(value, kind) if kind else value


def _number(parameters: dict[str, Any], name: str, kind: type[int] | type[float], default: Any) -> Any:
    value = parameters.get(name)
    if value is None:
        return default
    try:
        return kind(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidFieldError(f"parameters.{name}", f"must be a number, not {value!r}") from error
