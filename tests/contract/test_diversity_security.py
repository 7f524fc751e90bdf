"""Who may talk to the service, and about which runs."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import grpc
import numpy as np
import psutil
import pytest
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from tests.support.diversity_servers import Lite, Service, eventually, running

from rdiverse.diversity.client import DiversityClient, Item, RpcFailure
from rdiverse.grpcio_kit.access_tokens import AccessTokens, TokensFileError
from rdiverse.grpcio_kit.tls import TlsFolder

ITEMS = [Item("one", vector=np.eye(8)[0], answer="1", share=0.5)]
PERMISSION_DENIED = grpc.StatusCode.PERMISSION_DENIED
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED


def token_entry(token: str, runs: str, verbs: str) -> str:
    return f"- {{sha256: {hashlib.sha256(token.encode()).hexdigest()}, runs: [{runs}], verbs: [{verbs}]}}\n"


def openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def authority(folder: Path) -> Path:
    folder.mkdir()
    openssl(
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj", "/CN=ca",
        "-keyout", str(folder / "ca.key"), "-out", str(folder / "ca.crt"),
    )  # fmt: skip
    return folder


def certificates(folder: Path, ca: Path, *, with_ca: bool = True) -> Path:
    """A folder as Kubernetes mounts a TLS secret."""
    made = folder.with_name(folder.name + ".new")
    made.mkdir(parents=True)
    openssl(
        "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost",
        "-keyout", str(made / "tls.key"), "-out", str(made / "request"),
    )  # fmt: skip
    (made / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
    openssl(
        "x509", "-req", "-in", str(made / "request"), "-CA", str(ca / "ca.crt"), "-CAkey", str(ca / "ca.key"),
        "-CAcreateserial",
        "-days", "1", "-extfile", str(made / "names"), "-out", str(made / "tls.crt"),
    )  # fmt: skip
    if with_ca:
        shutil.copy(ca / "ca.crt", made / "ca.crt")
    folder.mkdir(exist_ok=True)
    for file in ("tls.key", "tls.crt", *(["ca.crt"] if with_ca else [])):
        (made / file).replace(folder / file)
    shutil.rmtree(made)
    return folder


@pytest.fixture(scope="module")
def lite(tmp_path_factory):
    server = Lite(tmp_path_factory.mktemp("lite"))
    with running(server):
        yield server


def failure(call) -> RpcFailure:
    with pytest.raises(RpcFailure) as caught:
        call()
    return caught.value


class TestTokens:
    @pytest.fixture(scope="class")
    def folder(self, tmp_path_factory):
        made = tmp_path_factory.mktemp("tokens")
        tokens = {
            "writer": ("team-a-*, shared", "read, write"),
            "reader": ("team-a-1", "read"),
            "admin": ('"*"', "read, write"),
        }
        (made / "tokens.yaml").write_text("".join(token_entry(name, *scope) for name, scope in tokens.items()))
        for name in [*tokens, "stranger"]:
            (made / name).write_text(f"{name}\n")
        return made

    @pytest.fixture(scope="class")
    def service(self, folder, lite):
        variables = {"RDIVERSE_TOKENS_FILE": str(folder / "tokens.yaml"), "RDIVERSE_REFLECTION": "off"}
        server = Service(folder / "service", lite.uri, environment=variables)
        with running(server):
            yield server

    @pytest.fixture
    def client(self, service, folder):
        return lambda name: DiversityClient(service.address, token_file=folder / name if name else None, retry_seconds=0)

    def test_scopes_reach_as_far_as_they_say(self, client):
        admin, writer, reader = client("admin"), client("writer"), client("reader")
        admin.commit("team-b-1", 1, ITEMS)
        writer.commit("team-a-1", 1, ITEMS)
        assert len(reader.score("team-a-1", ITEMS, 2)) == 1
        assert [run.run for run in reader.list_runs()] == ["team-a-1"]
        assert [run.run for run in admin.list_runs()] == ["team-a-1", "team-b-1"]
        for call in (
            lambda: reader.commit("team-a-1", 2, ITEMS),
            lambda: reader.rollback("team-a-1", 0),
            lambda: reader.delete_run("team-a-1"),
            lambda: reader.score("team-a-2", ITEMS, 1),
            lambda: writer.score("team-b-1", ITEMS, 2),
            lambda: writer.find_neighbors("team-b-1", ITEMS[0], 2),
            lambda: writer.sample_replay("team-b-1", 2, 1, seed=0),
            lambda: writer.get_stats("team-b-1"),
            lambda: writer.delete_run("team-b-1"),
            lambda: writer.get_stats("not-there-and-not-theirs"),
        ):
            failed = failure(call)
            assert (failed.code, failed.reason) == (PERMISSION_DENIED, "NOT_AUTHORIZED")
        assert admin.get_stats("team-a-1").iterations[0].items == 1
        assert writer.delete_run("team-a-1") == admin.delete_run("team-b-1") == 1

    def test_without_a_known_token_nothing_is_answered(self, client):
        for name in ("stranger", None):
            failed = failure(lambda name=name: client(name).list_runs())
            assert (failed.code, failed.reason) == (UNAUTHENTICATED, "NOT_AUTHORIZED")

    def test_health_needs_none_and_reflection_is_off(self, service):
        assert service.ready()
        with grpc.insecure_channel(service.address) as channel, pytest.raises(grpc.RpcError) as caught:
            ProtoReflectionDescriptorDatabase(channel).get_services()
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED

    def test_the_list_is_read_again_when_it_changes(self, client, folder):
        (folder / "late").write_text("late")
        failure(lambda: client("late").list_runs())
        listed = (folder / "tokens.yaml").read_text()
        (folder / "tokens.yaml").write_text("- broken")
        client("admin").list_runs()
        (folder / "tokens.yaml").write_text(listed + token_entry("late", "x", "read"))
        assert client("late").list_runs() == []


ZEROS = "0" * 64


@pytest.mark.parametrize(
    "text",
    [
        "token: x",
        "- {sha256: abc, runs: [a], verbs: [read]}",
        f"- {{sha256: {ZEROS}, runs: a, verbs: [read]}}",
        f"- {{sha256: {ZEROS}, runs: [a], verbs: [destroy]}}",
        f"- {{sha256: {ZEROS}, runs: [a]}}",
        "[",
        "- 1",
    ],
)
def test_a_list_of_tokens_that_is_none_is_refused(tmp_path, text):
    (tmp_path / "tokens.yaml").write_text(text)
    with pytest.raises(TokensFileError, match=r"tokens\.yaml"):
        AccessTokens(tmp_path / "tokens.yaml")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")
class TestTls:
    def test_mutual_tls_and_rotation(self, tmp_path, lite):
        ca, other_ca = authority(tmp_path / "ca"), authority(tmp_path / "other-ca")
        server_side = certificates(tmp_path / "server", ca)
        mine = TlsFolder(certificates(tmp_path / "client", ca))
        foreign = TlsFolder(certificates(tmp_path / "foreign", other_ca))
        shutil.copy(ca / "ca.crt", foreign.path / "ca.crt")
        service = Service(tmp_path / "service", lite.uri, environment={"RDIVERSE_TLS_DIR": str(server_side)})
        try:
            service.start()
            client = DiversityClient(service.address, mine, retry_seconds=0)
            eventually(lambda: _answers(client), what="the service over TLS")
            assert not _answers(DiversityClient(service.address, retry_seconds=0)), "plain text"
            assert not _answers(DiversityClient(service.address, foreign, retry_seconds=0)), "a certificate of someone else"
            # The authority changes; connections that stand stay, new ones get the new certificate without a restart.
            certificates(server_side, other_ca)
            new = TlsFolder(certificates(tmp_path / "new", other_ca))
            eventually(lambda: _answers(DiversityClient(service.address, new, retry_seconds=0)), 10, "the new certificate")
            assert not _answers(DiversityClient(service.address, mine, retry_seconds=0))
        finally:
            service.stop()

    def test_one_sided_tls(self, tmp_path, lite):
        ca = authority(tmp_path / "ca")
        server_side = certificates(tmp_path / "server", ca, with_ca=False)
        only_ca = tmp_path / "only-ca"
        only_ca.mkdir()
        shutil.copy(ca / "ca.crt", only_ca / "ca.crt")
        service = Service(tmp_path / "service", lite.uri, environment={"RDIVERSE_TLS_DIR": str(server_side)})
        try:
            service.start()
            client = DiversityClient(service.address, TlsFolder(only_ca), retry_seconds=0)
            eventually(lambda: _answers(client), what="the service over TLS")
        finally:
            service.stop()


def _answers(client: DiversityClient) -> bool:
    try:
        return client.list_runs(timeout=3) is not None
    except RpcFailure:
        return False


def test_nothing_listens_beyond_the_configured_addresses(tmp_path, lite):
    service = Service(tmp_path, lite.uri)
    with running(service):
        process = psutil.Process(service.process.pid)
        found = [each.laddr for each in process.connections() if each.status == psutil.CONN_LISTEN]
        listening = {(address.ip.removeprefix("::ffff:"), address.port) for address in found}
        assert listening == {("127.0.0.1", service.port), ("127.0.0.1", service.metrics_port)}
