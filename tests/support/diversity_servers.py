"""Real servers for the tests of the diversity service: Milvus Lite, the service, and a coder that knows arithmetic."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from rdiverse.diversity.memory.milvus_connection import MilvusConnection
from rdiverse.diversity.memory.protocol import MemoryUnavailableError
from rdiverse.v1 import language_model_pb2, language_model_pb2_grpc, model_control_pb2, model_control_pb2_grpc

DIMENSION = 256
START_SECONDS = 60.0


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def eventually(condition: Callable[[], Any], seconds: float = START_SECONDS, what: str = "it") -> Any:
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"{what} did not happen within {seconds} s"
        time.sleep(0.05)
    return value


class Process:
    """A server of ours that can be killed and started again on the same port."""

    def __init__(self, command: list[str], log: Path, environment: dict[str, str]) -> None:
        self._command = [sys.executable, *command]
        self.log = log
        self._environment = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=self._environment
            )

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait()

    def wait(self, seconds: float = 40) -> int:
        assert self.process is not None
        return self.process.wait(seconds)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.wait()
            except subprocess.TimeoutExpired:
                self.kill()

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None


class Lite(Process):
    """Milvus Lite's server on a folder."""

    def __init__(self, folder: Path, port: int | None = None, environment: dict[str, str] | None = None) -> None:
        self.port = port or free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        folder.mkdir(parents=True, exist_ok=True)
        data = folder / "milvus"
        command = ["-m", "rdiverse.diversity.memory.milvus_lite", "--data-dir", str(data), "--port", str(self.port)]
        super().__init__(command, folder / "milvus.log", environment or {})

    def wait_until_ready(self) -> None:
        connection = MilvusConnection(self.uri)
        eventually(lambda: _pings(connection), what="Milvus Lite's start")
        connection.close()


def _pings(connection: MilvusConnection) -> bool:
    try:
        connection.call(2, "list_collections")
    except MemoryUnavailableError:
        return False
    return True


class Service(Process):
    """The diversity service as `rdiverse serve diversity` runs it."""

    def __init__(
        self,
        folder: Path,
        milvus: str,
        *,
        coder: str = "",
        encoder: str = f"kind: structural, dimension: {DIMENSION}",
        port: int | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.port, self.metrics_port = port or free_port(), free_port()
        self.address = f"127.0.0.1:{self.port}"
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "config.yaml"
        config.write_text(f"model: none\nworkspace: {folder}\nencoder: {{{encoder}}}\n")
        variables = {
            "RDIVERSE_MILVUS_URI": milvus,
            "RDIVERSE_CACHE_DIR": str(folder / "cache"),
            "RDIVERSE_CODER_ADDRESS": coder,
        }
        command = ["-m", "rdiverse.cli", "serve", "diversity", "--config", str(config), "--listen", self.address]
        command += ["--metrics-port", str(self.metrics_port)]
        super().__init__(command, folder / f"service-{self.port}.log", variables | (environment or {}))

    def health(self, service: str = "") -> int | None:
        with grpc.insecure_channel(self.address) as channel:
            try:
                request = health_pb2.HealthCheckRequest(service=service)
                return int(health_pb2_grpc.HealthStub(channel).Check(request, timeout=2).status)
            except grpc.RpcError:
                return None

    def ready(self) -> bool:
        return self.health() == health_pb2.HealthCheckResponse.SERVING

    def wait_until_ready(self) -> None:
        eventually(lambda: self.ready() or self._died(), what="the service's start")

    def _died(self) -> bool:
        assert self.alive(), f"the service ended: {self.log.read_text()[-2000:]}"
        return False


@contextmanager
def running(*processes: Any) -> Iterator[None]:
    """Start in order, each once the one before is ready; stop in the opposite order."""
    try:
        for process in processes:
            process.start()
            process.wait_until_ready()
        yield
    finally:
        for process in reversed(processes):
            process.stop()


class Coder(language_model_pb2_grpc.LanguageModelServiceServicer, model_control_pb2_grpc.ModelControlServiceServicer):
    """A coder that turns "What is 2 + 3 * 4?" into its program, and counts what it is asked.

    `delay` holds every answer back; `reply` answers in place of it.
    """

    def __init__(self, port: int | None = None) -> None:
        self.weights = "coder-1"
        self.delay = 0.0
        self.reply: Callable[[str, int], str] | None = None
        self.asked: list[str] = []
        self.attempts: dict[str, int] = {}
        self.cancelled = threading.Event()
        self.port = port or free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._server: grpc.Server | None = None

    def start(self) -> None:
        self._server = grpc.server(futures.ThreadPoolExecutor(16), options=[("grpc.so_reuseport", 0)])
        language_model_pb2_grpc.add_LanguageModelServiceServicer_to_server(self, self._server)
        model_control_pb2_grpc.add_ModelControlServiceServicer_to_server(self, self._server)
        assert self._server.add_insecure_port(self.address)
        self._server.start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop(0).wait()

    def wait_until_ready(self) -> None:
        pass

    def GetModel(self, request: Any, context: Any) -> Any:
        return model_control_pb2.GetModelResponse(role="coder", weights=self.weights, ready=True)

    def Generate(self, request: Any, context: Any) -> Any:
        if self.delay:
            context.add_callback(self.cancelled.set)
            time.sleep(self.delay)
        if request.expected_weights not in ("", self.weights):
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "other weights")
        for index, prompt in enumerate(request.prompts):
            question = prompt.user.removeprefix("Problem: ")
            self.asked.append(question)
            self.attempts[question] = self.attempts.get(question, 0) + 1
            text = self.reply(question, self.attempts[question]) if self.reply else program_for(question)
            yield language_model_pb2.GenerateResponse(prompt_index=index, text=text, weights=self.weights)


def program_for(question: str) -> str:
    """As a coder writes it: numbers become parameters, the computation is the body."""
    found = re.search(r"What is (.+)\?", question)
    if found is None:
        return "I cannot tell."
    numbers = re.findall(r"\d+", found[1])
    names = iter(range(1, len(numbers) + 1))
    body = re.sub(r"\d+", lambda _: f"n{next(names)}", found[1])
    parameters = ", ".join(f"n{index}={number}" for index, number in enumerate(numbers, start=1))
    return f"<code>\ndef solver({parameters}):\n    return {body}\n</code>"
