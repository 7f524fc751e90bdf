"""Sixty-four clients at once: no error, flat memory, and health checks that never wait.

RDIVERSE_LOAD_SECONDS makes it longer (300 is the length that the limits are stated for).
"""

import json
import os
import subprocess
import sys
import threading
import time

import grpc
import numpy as np
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.support.diversity_load_client import MEMORY_ITEMS, RUN, questions
from tests.support.diversity_servers import Coder, Lite, Service, running

from rdiverse.diversity.client import DiversityClient, Item

SECONDS = float(os.environ.get("RDIVERSE_LOAD_SECONDS", "60"))
WARM_UP = min(30.0, SECONDS / 3)
CLIENTS = 64
DIMENSION = 256

pytestmark = [pytest.mark.long, pytest.mark.alone, pytest.mark.timeout(SECONDS + 240)]


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("load")
    lite, coder = Lite(folder), Coder()
    server = Service(folder, lite.uri, coder=coder.address)
    with running(lite, coder, server):
        with DiversityClient(server.address) as client:
            vectors = np.random.default_rng(0).normal(size=(MEMORY_ITEMS, DIMENSION)).astype(np.float32)
            items = [Item(f"question {i}", vector=vector, answer=str(i), share=0.5) for i, vector in enumerate(vectors)]
            client.commit(RUN, 1, items)
            client.score(RUN, questions(), 2)  # the coder has been asked about all of them from now on
        yield server


class Health(threading.Thread):
    """Asks every 20 ms over a connection of its own."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address
        self.stop = threading.Event()
        self.seconds: list[float] = []
        self.failures: list[str] = []

    def run(self) -> None:
        with grpc.insecure_channel(self.address) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            while not self.stop.wait(0.02):
                begin = time.perf_counter()
                try:
                    status = stub.Check(health_pb2.HealthCheckRequest(), timeout=5).status
                    if status != health_pb2.HealthCheckResponse.SERVING:
                        self.failures.append(f"status {status}")
                except grpc.RpcError as error:
                    self.failures.append(str(error.code()))
                self.seconds.append(time.perf_counter() - begin)


def clients(kind: str, address: str, seed: int, count: int, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.support.diversity_load_client", kind, address, str(seed), str(count), *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def output(process: subprocess.Popen[str]) -> str:
    text, _ = process.communicate(timeout=SECONDS + 180)
    assert process.returncode == 0, "a call failed"
    return text


def test_sixty_four_clients(service, record_property):
    process = psutil.Process(service.process.pid)
    health = Health(service.address)
    users = [clients("mixed", service.address, seed, CLIENTS // 4, str(SECONDS)) for seed in range(0, CLIENTS, CLIENTS // 4)]
    time.sleep(WARM_UP)
    health.start()
    warm = process.memory_info().rss
    calls = sum(int(output(user)) for user in users)
    end = process.memory_info().rss
    health.stop.set()
    health.join()
    p99, worst = float(np.percentile(health.seconds, 99)), max(health.seconds)
    figures = {"calls_per_second": calls / SECONDS, "rss_warm_mib": warm / 2**20, "rss_end_mib": end / 2**20}
    figures |= {"health_p99_seconds": p99, "health_worst_seconds": worst}
    for name, figure in figures.items():
        record_property(name, figure)
    print(figures)
    assert end < 1.05 * warm
    assert not health.failures
    assert p99 < 0.1
    assert worst < 1


def test_beyond_the_limits_callers_are_told_when_to_come_back(service):
    """More calls at once than are let in: some are turned away, health is not, and nothing breaks."""
    health = Health(service.address)
    health.start()
    outcomes = [outcome for user in [clients("burst", service.address, 0, 300)] for outcome in json.loads(output(user))]
    health.stop.set()
    health.join()
    refused = [outcome for outcome in outcomes if outcome[0] != "OK"]
    assert 0 < len(refused) < 300
    assert refused == [["RESOURCE_EXHAUSTED", True]] * len(refused)
    with DiversityClient(service.address) as client:
        assert len(client.score(RUN, questions()[:16], 2)) == 16
    assert not health.failures
