"""The servers of a local run, as child processes that end with the command."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from rdiverse.config import RunConfig
from rdiverse.logs import RUN_VARIABLE
from rdiverse.runs.children import stop
from rdiverse.runs.folder import RunFolder
from rdiverse.runs.ports import HOST, free_ports
from rdiverse.selfplay.roles import Role

SERVERS = (Role.CHALLENGER, Role.SOLVER, Role.CODER, "diversity")
PORTS = 2 * len(SERVERS) + 2
"""A gRPC and a metrics port a server, one for Milvus Lite, and one that the trainers will take for their rendezvous."""
STOP_SECONDS = 10
TAIL_LINES = 15

# One thread a process: two cores are shared by many processes, and spinning threads cost more than they bring. The
# allocator keeps what it has instead of handing pages back and faulting them in again at every decoding step; only its first
# arena does, so there is no other.
PROCESS_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
    "MALLOC_MMAP_THRESHOLD_": str(2**28),
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "PYTHONUNBUFFERED": "1",
}


class ServerError(RuntimeError):
    """A server did not start or has ended; the text names it, its log and the log's last lines."""


@dataclass(frozen=True)
class ServerProcess:
    """A child process, its log, and the address that tells whether it is ready."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    address: str | None

    def check(self) -> None:
        """Raise ServerError when the process has ended."""
        status = self.process.poll()
        if status is not None:
            raise ServerError(f"the {self.name} server ended with status {status}. {self.log} ends with:\n{_tail(self.log)}")


class Servers:
    """The running servers of a run."""

    def __init__(self, servers: list[ServerProcess], environment: dict[str, str], metrics: dict[str, str]) -> None:
        self.environment = environment
        """What steps need to find them."""
        self.metrics = metrics
        """Server -> address of its Prometheus metrics."""
        self._servers = servers

    def check(self) -> None:
        """Raise ServerError when one of them has ended."""
        for server in self._servers:
            server.check()


@contextmanager
def running_servers(config: RunConfig, folder: RunFolder, lifeline: Mapping[str, str]) -> Iterator[Servers]:
    """Start every server of a run, wait until all are ready, stop them at the end.

    Raises ServerError when one is not ready within `local.server_start_seconds`.
    """
    ports = iter(free_ports(PORTS, config.local.port_range))
    milvus = next(ports)
    addresses = {name: f"{HOST}:{next(ports)}" for name in SERVERS}
    metrics = {name: f"{HOST}:{next(ports)}" for name in SERVERS}
    environment = {
        **PROCESS_ENVIRONMENT,
        **lifeline,
        **{f"RDIVERSE_{name.upper()}_ADDRESS": address for name, address in addresses.items()},
        "RDIVERSE_MILVUS_URI": f"http://{HOST}:{milvus}",
        "RDIVERSE_CACHE_DIR": str(folder.memory),
        RUN_VARIABLE: folder.run_id,
    }
    milvus_lite = [
        "-m",
        "rdiverse.diversity.memory.milvus_lite",
        "--data-dir",
        str(folder.memory / "milvus"),
        "--port",
        str(milvus),
    ]
    servers: list[ServerProcess] = []
    try:
        servers.append(_start("milvus-lite", milvus_lite, None, folder, environment))
        for name, address in addresses.items():
            command = ["-m", "rdiverse.cli", "serve", name, "--config", str(folder.config), "--listen", address]
            command += ["--metrics-port", metrics[name].rpartition(":")[2]]
            servers.append(_start(name, command, address, folder, environment))
        deadline = time.monotonic() + config.local.server_start_seconds
        for server in servers:
            if server.address:
                _wait_until_ready(server, servers, deadline)
        yield Servers(servers, environment, metrics)
    finally:
        stop([server.process for server in servers], STOP_SECONDS)


def _start(name: str, command: list[str], address: str | None, folder: RunFolder, environment: dict[str, str]) -> ServerProcess:
    log = folder.logs / f"{name}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and modules
            [sys.executable, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **environment},
        )
    return ServerProcess(name, process, log, address)


def _wait_until_ready(server: ServerProcess, servers: list[ServerProcess], deadline: float) -> None:
    assert server.address is not None  # noqa: S101
    with grpc.insecure_channel(server.address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)  # its type stubs lack the methods
        while True:
            for each in servers:
                each.check()
            try:
                answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=1)
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    return
            except grpc.RpcError:
                # Not listening yet: what else could be wrong shows in the process's end or in the deadline.
                answer = None
            if time.monotonic() > deadline:
                raise ServerError(
                    f"the {server.name} server was not ready in time. {server.log} ends with:\n{_tail(server.log)}"
                )
            time.sleep(0.1)


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(f"  {line}" for line in lines[-TAIL_LINES:]) or "  (nothing)"
