"""Servers of the tests: in a thread of this process, so that many tests share one start, or as a process of their own."""

import asyncio
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import psutil
from grpc_health.v1 import health_pb2, health_pb2_grpc

from rdiverse.config import RunConfig
from rdiverse.selfplay.roles import Role


def tiny_config(model: Path, **inference: Any) -> RunConfig:
    """A configuration that serves a tiny model for every role."""
    engine = {"engine": "transformers", "dtype": "float32", "max_model_len": 256, "max_batch_rows": 64} | inference
    short = {"max_tokens": 24}
    return RunConfig.model_validate(
        {
            "model": str(model),
            "inference": engine,
            "prompts": {"challenger": {"user": "Ask."}, "solver": {"user": "Solve: {question}"}},
            "challenger": {"sampling": {"top_p": 0.95} | short},
            "solver": {"sampling": {"top_k": 40} | short},
            "coder": {"model": str(model), "max_tokens": 24},
            "encoder": {"kind": "model", "model": str(model)},
        }
    )


class Served:
    """A server under test."""

    def __init__(self, role: Role, config: RunConfig, weights: Path | None = None) -> None:
        self._role = role
        self._config = config
        self._weights = weights
        self._begun = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._begun.wait(60)
        if self._error:
            raise self._error

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:  # noqa: BLE001  raised again in the test's thread
            self._error = error
        finally:
            self._begun.set()

    async def _main(self) -> None:
        from rdiverse.inference.server import started

        async with started(self._role, self._config, "127.0.0.1:0", 0, self._weights) as serving:
            self.loop = asyncio.get_running_loop()
            self.serving = serving
            self.address = f"127.0.0.1:{serving.port}"
            self._stop = asyncio.Event()
            self._begun.set()
            await self._stop.wait()

    def stop(self) -> None:
        """Drain the server."""
        self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(60)
        assert not self._thread.is_alive()
        if self._error:
            raise self._error


@contextmanager
def served(role: Role, config: RunConfig, weights: Path | None = None) -> Iterator[Served]:
    """Serve a role until the block ends."""
    server = Served(role, config, weights)
    try:
        yield server
    finally:
        server.stop()


class Process:
    """`rdiverse serve` as a process, ready."""

    def __init__(self, role: Role, config: Path, environment: Mapping[str, str] | None = None, seconds: float = 120) -> None:
        self.config = config
        self.address, self.metrics = (f"127.0.0.1:{_free_port()}" for _ in range(2))
        command = [sys.executable, "-m", "rdiverse.cli", "serve", role, "--config", str(config), "--listen", self.address]
        command += ["--metrics-port", self.metrics.rpartition(":")[2]]
        self.popen = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"} | dict(environment or {}))
        try:
            self._wait_ready(seconds)
        except BaseException:
            self.kill()
            raise
        self.psutil = psutil.Process(self.popen.pid)
        self.children = self.psutil.children(recursive=True)

    def _wait_ready(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self.healthy(""):
            assert self.popen.poll() is None, "the server ended"
            assert time.monotonic() < deadline, "the server was not ready in time"
            time.sleep(0.1)

    def healthy(self, service: str) -> bool:
        """What its health service says: of readiness (""), or of "liveness"."""
        with grpc.insecure_channel(self.address) as channel:
            try:
                request = health_pb2.HealthCheckRequest(service=service)
                reply = health_pb2_grpc.HealthStub(channel).Check(request, timeout=2)
            except grpc.RpcError:
                return False
        return reply.status == health_pb2.HealthCheckResponse.SERVING

    def scrape(self) -> str:
        """Its metrics."""
        with urllib.request.urlopen(f"http://{self.metrics}/metrics", timeout=10) as reply:
            return reply.read().decode()

    def all_gone(self, seconds: float) -> bool:
        """Whether within that time no process is left of those that the server had started."""
        _, alive = psutil.wait_procs(self.children, timeout=seconds)
        return not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]

    def kill(self) -> None:
        """End it with no chance to tidy up."""
        self.popen.kill()
        self.popen.wait(10)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]
