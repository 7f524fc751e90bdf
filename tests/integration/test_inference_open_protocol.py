"""A stock KServe client works against the server: inference, metadata, readiness, hot swap, readable errors."""

import asyncio
import shutil
from collections.abc import Iterator

import grpc
import numpy as np
import pytest
from tests.support.inference_models import make_tiny_model
from tests.support.inference_serving import Served, served, tiny_config

from rdiverse.inference.client import LanguageModelClient
from rdiverse.lm.weights import weights_version


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_tiny_model(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def solver(model) -> Iterator[Served]:
    with served("solver", tiny_config(model)) as server:
        yield server


def call(server: Served, use):
    """Run `use(client)` with kserve's own client."""

    async def main():
        from kserve import InferenceGRPCClient

        client = InferenceGRPCClient(server.address, timeout=90)
        try:
            return await use(client)
        finally:
            await client.close()

    return asyncio.run(main())


def request(texts: list[bytes], parameters: dict | None = None, name: str = "solver", tensor: str = "text"):
    from kserve import InferInput, InferRequest

    given = InferInput(tensor, [len(texts)], "BYTES")
    given.set_data_from_numpy(np.array(texts, dtype=object))
    return InferRequest(name, [given], parameters=parameters)


def test_a_stock_client_gets_what_the_typed_service_gives(solver, model):
    parameters = {"temperature": "0", "max_tokens": 8}
    response = call(solver, lambda client: client.infer(request([b"one", "zwölf".encode()], parameters)))
    got = [text.decode() for text in response.outputs[0].as_numpy().reshape(-1)]
    with LanguageModelClient(solver.address) as client:
        from rdiverse.config import SamplingConfig

        typed = client.generate([("", "one"), ("", "zwölf")], sampling=SamplingConfig(temperature=0, max_tokens=8))
        assert got == [found.text for found in sorted(typed, key=lambda found: found.prompt_index)]
    assert response.parameters["weights"].string_param == weights_version(model)


def test_samples_come_prompt_by_prompt_and_follow_the_seed(solver):
    ask = request([b"one", b"two"], {"n": 3, "seed": 5, "max_tokens": 8})
    first, again = (call(solver, lambda client: client.infer(ask)).outputs[0].as_numpy().tolist() for _ in range(2))
    assert len(first) == 6
    assert first == again


def test_readiness_and_metadata(solver):
    from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

    async def ask(client):
        return (
            await client.is_server_live(), await client.is_server_ready(), await client.is_model_ready("solver"),
            await client._client_stub.ServerMetadata(pb.ServerMetadataRequest()),
            await client._client_stub.ModelMetadata(pb.ModelMetadataRequest(name="solver")),
        )  # fmt: skip

    live, ready, model_ready, server, model = call(solver, ask)
    assert (live, ready, model_ready) == (True, True, True)
    assert server.name == "kserve"
    assert model.name == "solver"
    assert [(given.name, given.datatype) for given in model.inputs] == [("text", "BYTES"), ("system", "BYTES")]
    assert [(given.name, given.datatype) for given in model.outputs] == [("text", "BYTES")]


@pytest.mark.parametrize(
    ("make", "code", "text"),
    [
        (lambda: request([b"x"], name="nobody"), "NOT_FOUND", "nobody"),
        (lambda: request([b"\xff\xfe"]), "INVALID_ARGUMENT", "inputs.text"),
        (lambda: request([b"x"], tensor="other"), "INVALID_ARGUMENT", "inputs.text: is missing"),
        (lambda: request([b""]), "INVALID_ARGUMENT", "prompts"),
        (lambda: request([b"x" * 2**20]), "INVALID_ARGUMENT", "prompts"),
        (lambda: request([b"x" * 3000]), "INVALID_ARGUMENT", "inputs.text"),
        (lambda: request([b"x"], {"n": 0}), "INVALID_ARGUMENT", "n:"),
        (lambda: request([b"x"], {"n": 10_000}), "INVALID_ARGUMENT", "n: must be between 1 and 1024"),
        (lambda: request([b"x"], {"top_k": str(10**30)}), "INVALID_ARGUMENT", "top_k"),
        (lambda: request([b"x"], {"temperature": "-1"}), "INVALID_ARGUMENT", "temperature"),
        (lambda: request([b"x"], {"temperature": "hot"}), "INVALID_ARGUMENT", "temperature"),
        (lambda: request([b"x"], {"seed": -1}), "INVALID_ARGUMENT", "parameters.seed: must be a number"),
        (lambda: request([b"x"], {"expected_weights": "other"}), "FAILED_PRECONDITION", "other"),
    ],
)
def test_errors_name_what_is_wrong(solver, make, code, text):
    with pytest.raises(grpc.RpcError) as caught:
        call(solver, lambda client: client.infer(make()))
    assert caught.value.code().name == code
    assert text in caught.value.details()


def test_a_tensor_whose_bytes_lie_is_an_invalid_argument(solver):
    from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

    ask = pb.ModelInferRequest(model_name="solver", raw_input_contents=[b"\xff\xff\xff\x7fab"])
    ask.inputs.add(name="text", datatype="BYTES", shape=[1])
    for data in (ask.SerializeToString(), b"\xff\xff"):
        with grpc.insecure_channel(solver.address) as channel, pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")(data, timeout=5)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_repository_load_takes_up_the_checkpoint_that_lies_there_now(tmp_path):
    from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

    folder = make_tiny_model(tmp_path / "model")
    with served("solver", tiny_config(folder)) as server:
        before = weights_version(folder)
        shutil.copytree(make_tiny_model(tmp_path / "other", 1), folder, dirs_exist_ok=True)
        call(server, lambda client: client._client_stub.RepositoryModelLoad(pb.RepositoryModelLoadRequest(model_name="solver")))
        response = call(server, lambda client: client.infer(request([b"x"], {"max_tokens": 2})))
        assert response.parameters["weights"].string_param == weights_version(folder) != before
        with pytest.raises(grpc.RpcError) as caught:
            call(
                server,
                lambda client: client._client_stub.RepositoryModelLoad(pb.RepositoryModelLoadRequest(model_name="nobody")),
            )
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_an_encoder_gives_vectors(model):
    with served("encoder", tiny_config(model)) as server:
        response = call(server, lambda client: client.infer(request([b"a", b"bc"], name="encoder")))
        with LanguageModelClient(server.address) as client:
            assert response.outputs[0].as_numpy() == pytest.approx(client.embed(["a", "bc"])[0], abs=1e-6)
