"""The probe of servers with TLS: what the kubelet runs in their containers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.diversity_servers import Lite, Service, running

WILDCARD = "subjectAltName=DNS:*.team-a.svc"


def openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Secret as cert-manager makes the servers': for every service of a namespace, and their CA."""
    folder = tmp_path_factory.mktemp("tls")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    ca, key = str(folder / "ca.crt"), str(folder / "ca.key")
    openssl("req", "-x509", *curve, "-days", "1", "-subj", "/CN=ca", "-keyout", key, "-out", ca)
    openssl("req", *curve, "-subj", "/", "-keyout", str(folder / "tls.key"), "-out", str(folder / "request"))
    (folder / "names").write_text(WILDCARD)
    signed = ("-CA", ca, "-CAkey", key, "-CAcreateserial", "-days", "1", "-extfile", str(folder / "names"))
    openssl("x509", "-req", "-in", str(folder / "request"), *signed, "-out", str(folder / "tls.crt"))
    return folder


def probe(address: str, tls: Path | None, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "RDIVERSE_TLS_DIR": str(tls or "")}
    command = [sys.executable, "-m", "rdiverse.grpcio_kit.probe", address, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)


def test_it_tells_alive_from_ready_and_both_from_gone(certificates: Path, tmp_path: Path) -> None:
    lite = Lite(tmp_path / "lite")
    service = Service(tmp_path / "service", lite.uri, environment={"RDIVERSE_TLS_DIR": str(certificates)})
    name = "--name=probe.team-a.svc"

    def answers(which: str) -> bool:
        return probe(service.address, certificates, f"--service={which}", name).returncode == 0

    service.wait_until_ready = lambda: None  # type: ignore[method-assign]  # which asks without certificates
    with running(lite, service):
        from tests.support.diversity_servers import eventually

        eventually(lambda: answers(""), what="readiness")
        assert answers("liveness")
        lite.kill()
        eventually(lambda: not answers(""), what="the end of readiness")
        assert answers("liveness")
        wrong = probe(service.address, certificates, "--name=probe.team-b.svc")
        assert wrong.returncode == 1, "a certificate of another namespace"
    assert probe(service.address, certificates, name).returncode == 1


def test_it_says_what_it_lacks() -> None:
    asked = probe("127.0.0.1:1", None, "--name=x")
    assert asked.returncode == 2
    assert "RDIVERSE_TLS_DIR is not set" in asked.stderr
