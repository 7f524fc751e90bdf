"""What the service needs goes away, is slow, or the connection to it is bad."""

import secrets
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2
from tests.support.diversity_proxy import Proxy
from tests.support.diversity_servers import Coder, Lite, Service, eventually, running

from rdiverse.diversity.client import DiversityClient, Item, RpcFailure
from rdiverse.diversity.memory.milvus import MilvusMemory
from rdiverse.diversity.memory.milvus_connection import MilvusConnection

pytestmark = pytest.mark.long

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


def items(count: int = 4) -> list[Item]:
    return [Item(f"question {index}", vector=np.eye(16)[index], answer=str(index), share=0.5) for index in range(count)]


def question() -> str:
    return f"What is {secrets.randbelow(10**9)} + {secrets.randbelow(10**9)}?"


@pytest.fixture(scope="module")
def coder():
    server = Coder()
    with running(server):
        yield server


@pytest.fixture(scope="module")
def lite(tmp_path_factory):
    return Lite(tmp_path_factory.mktemp("lite"))


@pytest.fixture(scope="module")
def service(tmp_path_factory, lite, coder):
    server = Service(tmp_path_factory.mktemp("diversity"), lite.uri, coder=coder.address)
    with running(lite, server):
        yield server


@pytest.fixture
def client(service):
    with DiversityClient(service.address, retry_seconds=0) as opened:
        yield opened


def failure(call) -> RpcFailure:
    with pytest.raises(RpcFailure) as caught:
        call()
    return caught.value


class TestMilvusGone:
    @pytest.mark.parametrize("how", ["killed", "stopped"])
    def test_calls_fail_in_time_and_recover_by_themselves(self, service, lite, client, how):
        run = f"milvus-{how}"
        client.commit(run, 1, items())
        process = service.process.pid
        if how == "killed":
            lite.kill()
        else:
            lite.signal(signal.SIGSTOP)
        try:
            begin = time.monotonic()
            for call in (
                lambda: client.score(run, items(), 2, timeout=8),
                lambda: client.commit(run, 2, items(), digest="1" * 64, timeout=8),
                lambda: client.sample_replay(run, 2, 2, seed=0, timeout=8),
                lambda: client.find_neighbors(run, items()[0], 2, timeout=8),
                lambda: client.rollback(run, 0, timeout=8),
                lambda: client.list_runs(timeout=8),
            ):
                failed = failure(call)
                assert (failed.code, failed.reason) == (UNAVAILABLE, "DEPENDENCY_UNAVAILABLE"), failed
                assert failed.metadata["dependency"] == "milvus"
            assert time.monotonic() - begin < 6 * 8
            eventually(lambda: service.health() == NOT_SERVING, 20, "readiness off")
            assert service.health("liveness") == SERVING
        finally:
            if how == "killed":
                lite.start()
                lite.wait_until_ready()
            else:
                lite.signal(signal.SIGCONT)
        eventually(service.ready, 20, "readiness on")
        assert client.score(run, items(), 2)[0].s_max == pytest.approx(1)
        assert not client.commit(run, 2, items(), digest="1" * 64).already_committed
        assert service.process.pid == process
        assert service.alive(), "recovered without a restart"
        client.delete_run(run)


class TestCoder:
    def test_gone_says_so_and_punishes_nobody(self, client, coder):
        known = question()
        client.score("coder", [known], 1)
        coder.stop()
        try:
            failed = failure(lambda: client.score("coder", [known, question()], 1, timeout=20))
            assert failed.code is UNAVAILABLE
            assert failed.metadata["dependency"] == "coder"
        finally:
            coder.start()
        eventually(lambda: _answers(client), 20, "the coder's return")

    def test_slow_keeps_the_deadline_and_is_called_off(self, client, coder):
        coder.delay = 3.0
        coder.cancelled.clear()
        try:
            begin = time.monotonic()
            failed = failure(lambda: client.score("coder", [question()], 1, timeout=1))
            assert time.monotonic() - begin < 1.5
            assert failed.code in (UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
            assert coder.cancelled.wait(2), "the work was called off"
        finally:
            coder.delay = 0.0

    def test_a_caller_who_leaves_takes_the_work_along(self, service, coder):
        coder.delay = 3.0
        coder.cancelled.clear()
        try:
            client = DiversityClient(service.address, retry_seconds=0)
            with ThreadPoolExecutor(1) as pool:
                call = pool.submit(lambda: failure(lambda: client.score("coder", [question()], 1, timeout=30)))
                time.sleep(0.5)
                client.close()
                call.result(5)
            assert coder.cancelled.wait(2)
        finally:
            coder.delay = 0.0


def _answers(client) -> bool:
    try:
        return bool(client.score("coder", [question()], 1, timeout=5).scores)
    except RpcFailure:
        return False


class TestConnection:
    """A bad network between client and service."""

    @pytest.fixture
    def proxy(self, service):
        opened = Proxy(service.port)
        yield opened
        opened.close()

    def test_a_cut_connection_is_made_again(self, proxy, coder):
        with DiversityClient(proxy.address, retry_seconds=20) as client:
            client.score("network", items(), 1)
            assert proxy.cut() > 0
            assert len(client.score("network", items(), 1, timeout=20)) == 4
            coder.delay = 1.0
            try:
                threading.Timer(0.4, proxy.cut).start()
                assert len(client.score("network", [question()], 1, timeout=20)) == 1, "asked again, as it only reads"
            finally:
                coder.delay = 0.0

    def test_a_commit_cut_in_the_middle_happens_once(self, proxy, client):
        with DiversityClient(proxy.address, retry_seconds=20) as shaky:
            for number in range(1, 5):
                threading.Timer(0.02 * number, proxy.cut).start()
                shaky.commit("network", number, items(), digest=str(number) * 64, timeout=30)
        assert [(entry.iteration, entry.items) for entry in client.get_stats("network").iterations] == [
            (n, 4) for n in range(1, 5)
        ]
        assert client.score("network", items(1), 9).memory_items == 16
        client.delete_run("network")

    def test_a_slow_connection_is_only_slow(self, proxy):
        proxy.delay = 0.15
        with DiversityClient(proxy.address, retry_seconds=0) as client:
            assert len(client.score("network", items(), 1, timeout=30)) == 4
            proxy.delay = 2.0
            begin = time.monotonic()
            assert failure(lambda: client.score("network", items(), 1, timeout=1)).code is grpc.StatusCode.DEADLINE_EXCEEDED
            assert time.monotonic() - begin < 2

    def test_corrupted_bytes_never_reach_the_memory(self, proxy, client, service):
        refused: list[RpcFailure] = []
        with DiversityClient(proxy.address, retry_seconds=0) as shaky:
            for _ in range(15):
                proxy.corrupt = 1
                try:
                    shaky.score("network", items(), 1, timeout=3)
                except RpcFailure as failed:
                    refused.append(failed)
                proxy.cut()
        assert refused
        assert not [failed for failed in refused if failed.reason == "INTERNAL"], "no fault of ours"
        assert service.alive()
        assert "network" not in [run.run for run in client.list_runs()]


def test_stopping_lets_calls_finish_and_turns_new_ones_away(tmp_path, lite, service, coder):
    """A replica of the service, as the module's own is still needed."""
    replica = Service(
        tmp_path, lite.uri, coder=coder.address, environment={"RDIVERSE_DIVERSITY_WRITER_ADDRESS": service.address}
    )
    coder.delay = 1.5
    try:
        with running(replica), DiversityClient(replica.address, retry_seconds=0) as client, ThreadPoolExecutor(1) as pool:
            call = pool.submit(lambda: client.score("stopping", [question()], 1, timeout=20))
            time.sleep(0.7)
            replica.signal(signal.SIGTERM)
            time.sleep(0.2)
            with DiversityClient(replica.address, retry_seconds=0) as late:
                assert failure(lambda: late.score("stopping", items(), 1, timeout=5)).code is UNAVAILABLE
            assert len(call.result(10)) == 1
            assert replica.wait(10) == 0
    finally:
        coder.delay = 0.0


class TestWriters:
    def test_of_two_at_once_one_refuses(self, tmp_path, lite, service):
        second = Service(tmp_path, lite.uri)
        second.start()
        assert second.wait(30) != 0
        assert "RDIVERSE_DIVERSITY_WRITER_ADDRESS" in second.log.read_text(), "it says what else it could be"
        assert service.ready()

    def test_of_two_at_once_on_two_machines_one_refuses(self, tmp_path):
        """Nothing but Milvus is shared: the locks lie in different folders."""
        lite = Lite(tmp_path)
        both = []
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            both.append(Service(tmp_path / name, lite.uri, environment={"TMPDIR": str(tmp_path / name)}))
        with running(lite):
            try:
                for each in both:
                    each.start()
                eventually(lambda: any(each.ready() for each in both), 60, "the start of one")
                eventually(lambda: sum(each.alive() for each in both) == 1, 60, "the end of the other")
                [stays], [leaves] = [each for each in both if each.alive()], [each for each in both if not each.alive()]
                assert leaves.wait() != 0
                assert "another process has become the writer" in leaves.log.read_text()
                stays.wait_until_ready()
                with DiversityClient(stays.address) as client:
                    client.commit("machines", 1, items())
                    time.sleep(1.5)
                    assert client.get_stats("machines").iterations[0].items == 4
                assert stays.alive()
            finally:
                for each in both:
                    each.stop()

    def test_one_that_another_machine_has_replaced_leaves(self, tmp_path):
        """The lock of one machine does not reach another; the memory itself tells."""
        lite = Lite(tmp_path)
        service = Service(tmp_path, lite.uri)
        with running(lite, service):
            connection = MilvusConnection(lite.uri)
            MilvusMemory(connection).claim(20)
            connection.close()
            assert service.wait(10) != 0
        assert "another process has become the writer" in service.log.read_text()

    def test_a_successor_takes_over_from_one_that_is_killed(self, tmp_path):
        lite = Lite(tmp_path)
        first, second = Service(tmp_path / "a", lite.uri), Service(tmp_path / "b", lite.uri)
        with running(lite, first):
            with DiversityClient(first.address) as client:
                revision = client.commit("handover", 1, items()).revision
            second.start()
            time.sleep(0.5)
            first.kill()
            try:
                second.wait_until_ready()
                with DiversityClient(second.address) as client:
                    assert client.get_stats("handover", min_revision=revision).iterations[0].items == 4
                    client.commit("handover", 2, items(), digest="2" * 64)
            finally:
                second.stop()


def test_without_a_milvus_it_does_not_start(tmp_path):
    service = Service(tmp_path, "")
    service.start()
    assert service.wait(30) != 0
    assert "RDIVERSE_MILVUS_URI must be set" in service.log.read_text()


def test_milvus_lite_survives_half_an_index(tmp_path):
    """A kill while it writes one used to leave a collection that could not be loaded."""
    lite = Lite(tmp_path)
    service = Service(tmp_path, lite.uri)
    with running(lite, service), DiversityClient(service.address, retry_seconds=20) as client:
        client.commit("half", 1, items())
        [index] = eventually(lambda: list((tmp_path / "milvus").rglob("rdiverse_store_*/**/*.idx")), what="the index file")
        lite.kill()
        index.write_bytes(b"")
        lite.start()
        lite.wait_until_ready()
        eventually(service.ready, 20, "readiness on")
        assert client.score("half", items(), 2)[0].s_max == pytest.approx(1)


def test_milvus_lite_ends_with_its_parent(tmp_path):
    """However the parent ended: the lifeline is closed by the kernel."""
    from rdiverse.runs.lifeline import held_lifeline

    lite = Lite(tmp_path)
    with held_lifeline(tmp_path / "lifeline") as environment:
        lite._environment |= environment
        lite.start()
        lite.wait_until_ready()
    assert lite.wait(5) == 1
