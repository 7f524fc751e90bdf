"""What a real server's log holds from start to end, as JSON: never nothing, and nothing more while nobody asks."""

import json
import os
import signal
import subprocess
import sys
import time

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from rdiverse.runs.ports import free_ports


def test_a_servers_log_tells_its_life_and_an_idle_one_does_not_grow(tmp_path):
    port, metrics = free_ports(2, None)
    log = tmp_path / "solver.log"
    command = [sys.executable, "-m", "rdiverse.cli", "serve", "solver", "--config", "configs/local.yaml"]
    with log.open("w") as out:
        server = subprocess.Popen(
            [*command, "--listen", f"127.0.0.1:{port}", "--metrics-port", str(metrics)],
            env={**os.environ, "RDIVERSE_LOG_FORMAT": "json"}, stdout=out, stderr=out,
        )  # fmt: skip
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            deadline = time.monotonic() + 90
            while '"message": "ready"' not in log.read_text():
                assert server.poll() is None, log.read_text()
                assert time.monotonic() < deadline
                time.sleep(0.2)
            time.sleep(0.5)
            before = log.read_text()
            for _ in range(10):
                assert stub.Check(health_pb2.HealthCheckRequest(), timeout=10).status == 1
                time.sleep(0.1)
            assert log.read_text() == before
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(60)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    said = " | ".join(line["message"] for line in lines)
    assert f"listening on port {port}, metrics on port {metrics}; not ready yet | ready | solver serves weights" in said
    assert said.endswith("draining, at most 30 s | ended")
    assert {line["run"] for line in lines} == {"r-diverse-seed0"}
