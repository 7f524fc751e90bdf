"""The server as a process: how soon it is ready, how it ends, and that it never outlives its parent."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.inference_models import make_tiny_model
from tests.inference_serving import tiny_config

from rdiverse.config import SamplingConfig, dump_config
from rdiverse.inference.client import ModelControlClient, RpcFailure, SolverClient
from rdiverse.runs.lifeline import held_lifeline

SERVE = """
import sys
from pathlib import Path
from rdiverse.config import load_config
from rdiverse.inference.server import serve
serve(sys.argv[1], load_config(Path(sys.argv[2])), sys.argv[3], int(sys.argv[4]))
"""


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Process:
    def __init__(self, config: Path, environment: dict[str, str]) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        command = [
            sys.executable,
            "-c",
            SERVE,
            "solver",
            str(config),
            self.address,
            str(free_port()),
            "--configure_logging",
            "x",
        ]
        self.popen = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"} | environment)
        self.psutil = psutil.Process(self.popen.pid)

    def wait_ready(self, seconds: float = 120) -> None:
        begin = time.monotonic()
        with grpc.insecure_channel(self.address, [("grpc.max_reconnect_backoff_ms", 200)]) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            while True:
                assert self.popen.poll() is None, "the server ended"
                assert time.monotonic() - begin < seconds
                try:
                    if stub.Check(health_pb2.HealthCheckRequest(), timeout=1).status == health_pb2.HealthCheckResponse.SERVING:
                        return
                except grpc.RpcError:
                    pass
                time.sleep(0.1)


@pytest.fixture
def process(tmp_path) -> Iterator[Process]:
    config = tmp_path / "config.yaml"
    config.write_text(dump_config(tiny_config(make_tiny_model(tmp_path / "model"))))
    with held_lifeline(tmp_path / "lifeline") as environment:
        server = Process(config, environment)
        try:
            server.wait_ready()
            yield server
        finally:
            server.popen.kill()
            server.popen.wait(10)


def test_a_fresh_process_is_light_and_soon_ready(process):
    times, memory = process.psutil.cpu_times(), process.psutil.memory_info().rss
    # Seconds of computing, which other work on the machine does not stretch as it does wall time.
    assert times.user + times.system < 15
    assert memory < 700 * 2**20
    # kserve, imported by the first such call, reads the command line, too.
    with grpc.insecure_channel(process.address) as channel:
        live = channel.unary_unary("/inference.GRPCInferenceService/ServerLive")
        assert live(b"", timeout=120) == b"\x08\x01"


def test_sigterm_finishes_what_runs_and_then_leaves(process):
    with SolverClient(process.address) as client:
        results = client.iter_solve([f"question {n}" for n in range(40)], 10, sampling=SamplingConfig(max_tokens=60))
        first = next(results)
        process.popen.send_signal(signal.SIGTERM)
        assert len([first, *results]) == 40
    assert process.popen.wait(20) == 0
    with ModelControlClient(process.address) as client, pytest.raises(RpcFailure, match=r"UNAVAILABLE|DEADLINE"):
        client.get_model(timeout=1)


def test_the_server_ends_with_its_parent(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(dump_config(tiny_config(make_tiny_model(tmp_path / "model"))))
    with held_lifeline(tmp_path / "lifeline") as environment:
        server = Process(config, environment)
        server.wait_ready()
        children = server.psutil.children(recursive=True)
    assert server.popen.wait(5) == 1
    _, alive = psutil.wait_procs(children, timeout=5)
    assert not alive
