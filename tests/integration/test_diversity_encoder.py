"""A code embedding model behind a server of its own in place of the structural encoder: a tiny random one, really served."""

import re
import secrets
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from grpc import StatusCode
from tests.support.diversity_servers import Lite, Process, Service, eventually, free_port, running
from tests.support.inference_models import make_tiny_model

from rdiverse.diversity.client import DiversityClient, Item, RpcFailure
from rdiverse.inference.client import LanguageModelClient

SUM = "def solver(n1=2, n2=3):\n    return n1 + n2"
PRODUCT = "def solver(n1=2, n2=3):\n    return n1 * n2"
MODEL_LENGTH = 256

pytestmark = [pytest.mark.long, pytest.mark.timeout(240)]


class Encoder(Process):
    """`rdiverse serve encoder`."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.address, self.metrics_port = f"127.0.0.1:{free_port()}", free_port()
        config = folder / "encoder.yaml"
        engine = f"engine: transformers, dtype: float32, max_model_len: {MODEL_LENGTH}"
        config.write_text(f"model: {model}\ninference: {{{engine}}}\nencoder: {{kind: model, model: {model}}}\n")
        command = ["-m", "rdiverse.cli", "serve", "encoder", "--config", str(config), "--listen", self.address]
        super().__init__([*command, "--metrics-port", str(self.metrics_port)], folder / "encoder.log", {})

    def wait_until_ready(self) -> None:
        def ready() -> bool:
            assert self.alive(), self.log.read_text()[-2000:]
            with LanguageModelClient(self.address) as client:
                try:
                    return len(client.embed(["ready?"], timeout=2)[0]) == 1
                except RpcFailure:
                    return False

        eventually(ready, 90, "the encoder's start")

    def embedded(self) -> float:
        """How often it was asked."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=5) as response:
            text = response.read().decode()
        return sum(
            float(found)
            for found in re.findall(r"^grpc_server_call_duration_seconds_count\{.*/Embed\".*\} (\S+)$", text, re.MULTILINE)
        )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("encoder")


@pytest.fixture(scope="module")
def encoder(folder):
    server = Encoder(folder, make_tiny_model(folder / "model", chat=False))
    with running(server):
        yield server


@pytest.fixture(scope="module")
def service(folder, encoder):
    lite = Lite(folder)
    server = Service(
        folder, lite.uri, encoder=f"kind: model, model: {folder / 'model'}",
        environment={"RDIVERSE_ENCODER_ADDRESS": encoder.address},
    )  # fmt: skip
    with running(lite, server):
        yield server


@pytest.fixture
def client(service):
    with DiversityClient(service.address, retry_seconds=0) as opened:
        yield opened


def test_programs_and_words_become_what_the_model_makes_of_them(client, encoder):
    with LanguageModelClient(encoder.address) as model:
        expected, weights = model.embed([SUM, PRODUCT])
        [words], _ = model.embed(["Add two to three."])
    scored = client.score("a", [Item("x", program=SUM), Item("y", program=PRODUCT)], 1, return_vectors=True)
    np.testing.assert_allclose([one.vector for one in scored], expected, atol=1e-5)
    assert [np.linalg.norm(one.vector) for one in scored] == pytest.approx([1, 1], abs=1e-5)
    assert [one.origin for one in scored] == ["program", "program"]
    assert scored.embedding_version == f"model-{weights}"
    [text] = client.score("a", ["Add two to three."], 1, representation="text", return_vectors=True)
    assert text.origin == "question"
    np.testing.assert_allclose(text.vector, words, atol=1e-5)


def test_a_memory_of_model_embeddings(client):
    committed = [Item("sum", program=SUM, answer="5", share=0.5), Item("product", program=PRODUCT, answer="6", share=0.5)]
    client.commit("memory", 1, committed)
    assert client.get_stats("memory").dimension == 64
    assert client.find_neighbors("memory", Item("again", program=PRODUCT), 2, 1).neighbors[0].item.question == "product"
    [scored] = client.score("memory", [Item("again", program=SUM)], 2)
    assert scored.s_max == pytest.approx(1, abs=1e-5)
    client.delete_run("memory")


def test_what_the_model_should_not_or_cannot_read_is_a_failure_of_that_item(client):
    long = "def solver(n1=2):\n    return " + " + ".join(["n1"] * (MODEL_LENGTH // 4))
    unreadable, too_long, good = client.score(
        "a", [Item("x", program="I cannot tell."), Item("y", program=long), Item("z", program=SUM)], 1
    )
    assert unreadable.failure
    assert "too long" in too_long.failure
    assert (unreadable.p_rep, too_long.p_rep) == (1.0, 1.0)
    assert not good.failure


def test_it_is_asked_once_about_a_program_even_over_a_restart(service, client, encoder):
    items = [Item(str(n), program=f"def solver(n1={n}):\n    return n1 ** {n} - {secrets.randbelow(10**6)}") for n in range(5)]
    before = encoder.embedded()
    first = client.score("a", items, 1, return_vectors=True)
    assert encoder.embedded() == before + 1
    assert client.score("a", items, 1, return_vectors=True).embedding_version == first.embedding_version
    service.stop()
    service.start()
    service.wait_until_ready()
    with DiversityClient(service.address) as again:
        second = again.score("a", items, 1, return_vectors=True)
    np.testing.assert_array_equal([one.vector for one in second], [one.vector for one in first])
    assert encoder.embedded() == before + 1


def test_an_encoder_that_is_gone_fails_the_call_and_punishes_nobody(client, encoder):
    new = Item("new", program=f"def solver(n1=1):\n    return n1 % {secrets.randbelow(10**9)}")
    encoder.kill()
    try:
        for call in (lambda: client.score("gone", [new], 1, timeout=20), lambda: client.commit("gone", 1, [new], timeout=20)):
            with pytest.raises(RpcFailure) as caught:
                call()
            assert (caught.value.code, caught.value.reason) == (StatusCode.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE")
            assert caught.value.metadata["dependency"] == "encoder"
        assert "gone" not in [run.run for run in client.list_runs()]
    finally:
        encoder.start()
        encoder.wait_until_ready()
    assert not eventually(lambda: _scored(client, new), 20, "the encoder's return").failure


def _scored(client, item):
    try:
        return client.score("gone", [item], 1, timeout=10)[0]
    except RpcFailure:
        return None
