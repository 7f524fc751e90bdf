"""The host's model as kserve knows models: texts in, texts or vectors out. Imports kserve, which is slow."""

import struct
from collections.abc import Mapping
from typing import Any

import kserve
import numpy as np

from rdiverse.grpcio_kit.errors import InvalidFieldError
from rdiverse.inference.host import ModelHost
from rdiverse.inference.servicers.validation import check_embed, read_generate
from rdiverse.v1.language_model_pb2 import EmbedRequest, GenerateRequest, Prompt

TEXT, SYSTEM, EMBEDDING = "text", "system", "embedding"
_CALL_NUMBERS = {"n": int, "seed": int}
_SAMPLING_NUMBERS: dict[str, type[int] | type[float]] = {"temperature": float, "top_p": float, "top_k": int, "max_tokens": int}
"""The protocol's parameters hold no fractions, so numbers may also come as strings."""


class RoleModel(kserve.Model):  # type: ignore[misc]
    """The host's model under the name of its role."""

    def __init__(self, host: ModelHost) -> None:
        super().__init__(host.role)
        self._host = host

    async def healthy(self) -> bool:
        """Whether the engine takes calls."""
        return self._host.ready

    def load(self) -> bool:
        """The host loads; whether the engine takes calls."""
        return self._host.ready

    def get_input_types(self) -> list[dict[str, Any]]:
        """What a call may hold."""
        inputs = [{"name": TEXT, "datatype": "BYTES", "shape": [-1]}]
        return inputs if self._embeds else [*inputs, {"name": SYSTEM, "datatype": "BYTES", "shape": [-1]}]

    def get_output_types(self) -> list[dict[str, Any]]:
        """What a call gives."""
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
        vectors, version = await self._host.embed(texts, expected, f"inputs.{TEXT}[{{}}]")
        output = kserve.InferOutput(EMBEDDING, list(vectors.shape), "FP32")
        output.set_data_from_numpy(vectors.astype(np.float32))
        return output, version

    async def _generate(
        self, texts: list[str], systems: list[str], parameters: dict[str, Any], expected: str
    ) -> tuple[kserve.InferOutput, str]:
        if systems and len(systems) != len(texts):
            raise InvalidFieldError(f"inputs.{SYSTEM}", f"must hold one string for each of the {len(texts)} texts")
        # As a message of the typed service, so that one place knows the rules and the defaults.
        request = GenerateRequest(
            prompts=[Prompt(user=text, system=systems[i] if systems else "") for i, text in enumerate(texts)],
            n=1,
            expected_weights=expected,
        )
        _set_numbers(request, parameters, _CALL_NUMBERS)
        _set_numbers(request.sampling, parameters, _SAMPLING_NUMBERS)
        generation = read_generate(request, self._host.defaults())
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
        raise InvalidFieldError(f"inputs.{name}", f"must have datatype BYTES, has {tensor.datatype}")
    try:
        values = tensor.as_numpy().reshape(-1)
        return [value.decode() if isinstance(value, bytes) else str(value) for value in values]
    except (ValueError, struct.error) as error:  # a shape that does not fit, a length that lies, or no UTF-8
        raise InvalidFieldError(f"inputs.{name}", f"must be a tensor of UTF-8 strings: {error}") from error


def _plain(value: Any) -> Any:
    """A parameter as Python has it; over gRPC it comes wrapped."""
    kind = value.WhichOneof("parameter_choice") if hasattr(value, "WhichOneof") else None
    return getattr(value, kind) if kind else value


def _set_numbers(message: Any, parameters: dict[str, Any], kinds: Mapping[str, type[int] | type[float]]) -> None:
    """Put the parameters that are there into the fields of their names."""
    for name, kind in kinds.items():
        if parameters.get(name) is not None:
            try:
                setattr(message, name, kind(parameters[name]))
            except (TypeError, ValueError, OverflowError) as error:
                fault = f"must be a number that the field can hold, is {parameters[name]!r}"
                raise InvalidFieldError(f"parameters.{name}", fault) from error
