"""What a caller of any rdiverse server can rely on: health, readable errors, limits, metrics, an orderly end."""

import asyncio
import threading
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from rdiverse.grpcio_kit import interceptor
from rdiverse.grpcio_kit.client import Caller, RpcFailure
from rdiverse.grpcio_kit.errors import DependencyUnavailableError, InvalidFieldError, OverloadedError, WrongWeightsError
from rdiverse.grpcio_kit.server import LIVENESS, READINESS, Serving
from rdiverse.logs import Seldom
from rdiverse.v1 import model_control_pb2 as pb
from rdiverse.v1 import solver_pb2, solver_pb2_grpc
from rdiverse.v1.model_control_pb2_grpc import (
    ModelControlServiceServicer,
    ModelControlServiceStub,
    add_ModelControlServiceServicer_to_server,
)

GET = "/rdiverse.v1.ModelControlService/GetModel"
LOAD = "/rdiverse.v1.ModelControlService/LoadWeights"
SOLVE = "/rdiverse.v1.SolverService/Solve"


class Model(ModelControlServiceServicer):
    """Answers LoadWeights according to the path asked for."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.entered = threading.Event()
        self.unavailable = 0

    async def GetModel(self, request, context):
        if self.unavailable:
            self.unavailable -= 1
            await context.abort(grpc.StatusCode.UNAVAILABLE, "starting")
        return pb.GetModelResponse(role="solver")

    async def LoadWeights(self, request, context):
        match request.path:
            case "slow":
                self.entered.set()
                await self.open.wait()
            case "crash":
                raise RuntimeError("the password is hunter2")
            case "field":
                raise InvalidFieldError("path", "must not be 'field'")
            case "weights":
                raise WrongWeightsError("v2", "v1")
            case "full":
                raise OverloadedError("no room", retry_seconds=2.5)
            case "coder":
                raise DependencyUnavailableError("coder", "does not answer")
        return pb.LoadWeightsResponse(weights=request.path)


class Solver(solver_pb2_grpc.SolverServiceServicer):
    async def Solve(self, request_iterator: AsyncIterator[solver_pb2.SolveRequest], context):
        async for request in request_iterator:
            for problem in request.chunk.problems:
                if problem.question == "crash":
                    raise ValueError("secret")
                yield solver_pb2.SolveResponse(problems=[{"index": problem.index}])


class Running:
    """A server in a thread of its own."""

    def __init__(self, **options) -> None:
        self._options = {"limits": {LOAD: 1}, "grace_seconds": 5} | options
        self._begun = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()))
        self._thread.start()
        assert self._begun.wait(20)

    async def _main(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.serving = Serving("127.0.0.1:0", 0, **self._options)
        self.model = Model()
        self.serving.add(pb.DESCRIPTOR, add_ModelControlServiceServicer_to_server, self.model)
        self.serving.add(solver_pb2.DESCRIPTOR, solver_pb2_grpc.add_SolverServiceServicer_to_server, Solver())
        await self.serving.start()
        self.address = f"127.0.0.1:{self.serving.port}"
        self._begun.set()
        await self.serving._stop_asked.wait()
        await self.serving.stop()

    def do(self, coroutine) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    def ask_to_stop(self) -> None:
        self.loop.call_soon_threadsafe(self.serving.ask_to_stop)

    def join(self) -> None:
        self._thread.join(20)
        assert not self._thread.is_alive()


@contextmanager
def running(**options) -> Iterator[Running]:
    server = Running(**options)
    try:
        yield server
    finally:
        server.loop.call_soon_threadsafe(server.model.open.set)
        server.ask_to_stop()
        server.join()


@pytest.fixture
def server() -> Iterator[Running]:
    with running() as server:
        yield server


def health(channel: grpc.Channel, service: str) -> str:
    status = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=service), timeout=5).status
    return health_pb2.HealthCheckResponse.ServingStatus.Name(status)


def load(caller: Caller, path: str) -> pb.LoadWeightsResponse:
    stub = ModelControlServiceStub(caller.channel)
    return caller.once(
        "ModelControlService.LoadWeights", lambda left: stub.LoadWeights(pb.LoadWeightsRequest(path=path), timeout=left), 10
    )


def failure(caller: Caller, path: str) -> RpcFailure:
    with pytest.raises(RpcFailure) as caught:
        load(caller, path)
    return caught.value


def test_health_tells_liveness_and_readiness_apart(server):
    with grpc.insecure_channel(server.address) as channel:
        assert (health(channel, LIVENESS), health(channel, READINESS)) == ("SERVING", "NOT_SERVING")
        server.do(server.serving.set_ready(ready=True))
        assert (health(channel, LIVENESS), health(channel, READINESS)) == ("SERVING", "SERVING")
        server.do(server.serving.set_alive(alive=False))
        assert health(channel, LIVENESS) == "NOT_SERVING"


def test_reflection_lists_the_services(server):
    with grpc.insecure_channel(server.address) as channel:
        ask = reflection_pb2.ServerReflectionRequest(list_services="")
        answer = next(reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([ask]), timeout=5))
    names = {service.name for service in answer.list_services_response.service}
    assert {"rdiverse.v1.ModelControlService", "rdiverse.v1.SolverService", "grpc.health.v1.Health"} <= names


def test_an_error_names_service_address_status_reason_and_field(server):
    error = failure(Caller(server.address), "field")
    assert (error.code, error.reason, error.fields) == (
        grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", [("path", "must not be 'field'")],
    )  # fmt: skip
    assert str(error) == (
        f"ModelControlService.LoadWeights at {server.address}: INVALID_ARGUMENT (INVALID_FIELD): path: must not be 'field'"
    )


def test_errors_carry_metadata_and_the_time_to_come_back(server):
    caller = Caller(server.address)
    assert failure(caller, "weights").metadata == {"weights": "v1"}
    assert failure(caller, "coder").metadata == {"dependency": "coder"}
    full = failure(caller, "full")
    assert (full.code, full.retry_seconds) == (grpc.StatusCode.RESOURCE_EXHAUSTED, 2.5)


def test_an_unexpected_exception_leaks_nothing_but_an_incident_number(server, caplog):
    error = failure(Caller(server.address), "crash")
    assert (error.code, error.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert "hunter2" not in str(error)
    assert error.metadata["incident"] in error.message
    assert error.metadata["incident"] in caplog.text


def test_an_exception_in_a_stream_leaks_nothing(server):
    caller = Caller(server.address)
    requests = [
        solver_pb2.SolveRequest(chunk={"problems": [{"index": i, "question": q}]}) for i, q in enumerate(["a", "crash"])
    ]
    stub = solver_pb2_grpc.SolverServiceStub(caller.channel)
    got = []
    with pytest.raises(RpcFailure) as caught:
        got.extend(caller.stream("SolverService.Solve", lambda left: stub.Solve(iter(requests), timeout=left), 10))
    assert caught.value.code is grpc.StatusCode.INTERNAL
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("method", [GET, LOAD])
def test_undecodable_bytes_are_an_invalid_argument(server, method):
    with grpc.insecure_channel(server.address) as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(method)(b"\xff\xff\xff", timeout=5)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "message" in caught.value.details()


def test_undecodable_bytes_in_a_stream_are_an_invalid_argument(server):
    with grpc.insecure_channel(server.address) as channel, pytest.raises(grpc.RpcError) as caught:
        list(channel.stream_stream(SOLVE)(iter([b"\xff\xff\xff"]), timeout=5))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_an_unknown_method_is_unimplemented(server):
    with grpc.insecure_channel(server.address) as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/rdiverse.v1.Nothing/At")(b"", timeout=5)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_method_beyond_its_limit_is_turned_away_and_health_is_not(server):
    caller = Caller(server.address)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(load, caller, "slow")
        assert server.model.entered.wait(5)
        error = failure(caller, "another")
        assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
        assert error.retry_seconds
        assert health(caller.channel, LIVENESS) == "SERVING"
        server.loop.call_soon_threadsafe(server.model.open.set)
        assert slow.result(5).weights == "slow"
    assert load(caller, "again").weights == "again"


def test_a_cancelled_call_gives_its_place_back(server):
    caller = Caller(server.address)
    call = ModelControlServiceStub(caller.channel).LoadWeights.future(pb.LoadWeightsRequest(path="slow"), timeout=10)
    assert server.model.entered.wait(5)
    call.cancel()
    for _ in range(50):
        try:
            assert load(caller, "next").weights == "next"
            break
        except RpcFailure:
            threading.Event().wait(0.05)
    else:
        pytest.fail("the place was never given back")


def test_metrics_count_calls_by_method_and_status(server):
    caller = Caller(server.address)
    load(caller, "fine")
    failure(caller, "field")
    with grpc.insecure_channel(server.address) as channel, pytest.raises(grpc.RpcError):
        channel.unary_unary("/made.up.Name/X")(b"", timeout=5)
    for _ in range(50):  # gRPC hands its figures over in batches
        with urllib.request.urlopen(f"http://127.0.0.1:{server.serving.metrics_port}/metrics", timeout=5) as reply:
            text = reply.read().decode()
        if 'grpc_method="rdiverse.v1.ModelControlService/LoadWeights",grpc_status="INVALID_ARGUMENT"' in text:
            break
        threading.Event().wait(0.1)
    assert (
        'grpc_server_call_duration_seconds_count{grpc_method="rdiverse.v1.ModelControlService/LoadWeights",grpc_status="OK"}'
        in text
    )
    assert (
        'grpc_server_call_duration_seconds_count{grpc_method="rdiverse.v1.ModelControlService/LoadWeights",grpc_status="INVALID_ARGUMENT"}'
        in text
    )
    assert "made.up" not in text


def test_stopping_finishes_what_runs_and_is_not_ready():
    with running() as server:
        caller = Caller(server.address)
        server.do(server.serving.set_ready(ready=True))
        with ThreadPoolExecutor(1) as pool:
            slow = pool.submit(load, caller, "slow")
            assert server.model.entered.wait(5)
            server.ask_to_stop()
            server.loop.call_soon_threadsafe(server.loop.call_later, 0.3, server.model.open.set)
            assert slow.result(5).weights == "slow"
            assert not server.serving.ready


def test_stopping_waits_no_longer_than_the_grace_period():
    with running(grace_seconds=0.2) as server:
        caller = Caller(server.address)
        with ThreadPoolExecutor(1) as pool:
            slow = pool.submit(failure, caller, "slow")
            assert server.model.entered.wait(5)
            server.ask_to_stop()
            assert slow.result(5).code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}


def test_a_taken_port_is_refused(server):
    async def second() -> None:
        Serving(server.address, 0)

    with pytest.raises(OSError, match=f"cannot listen on {server.address}"):
        asyncio.run(second())


def test_idempotent_calls_outlive_a_short_absence(server):
    caller = Caller(server.address)
    stub = ModelControlServiceStub(caller.channel)
    server.model.unavailable = 2
    got = caller.idempotent("ModelControlService.GetModel", lambda left: stub.GetModel(pb.GetModelRequest(), timeout=left), 10)
    assert got.role == "solver"


def test_idempotent_calls_give_up_in_time(server):
    caller = Caller(server.address, retry_seconds=0.5)
    stub = ModelControlServiceStub(caller.channel)
    server.model.unavailable = 1000
    with pytest.raises(RpcFailure, match="UNAVAILABLE: starting"):
        caller.idempotent("ModelControlService.GetModel", lambda left: stub.GetModel(pb.GetModelRequest(), timeout=left), 10)
    assert server.model.unavailable > 990


def test_nobody_there_is_a_readable_error():
    caller = Caller("127.0.0.1:1", retry_seconds=0)
    with pytest.raises(RpcFailure, match=r"ModelControlService.LoadWeights at 127.0.0.1:1: UNAVAILABLE"):
        load(caller, "x")


@pytest.fixture
def told(caplog, monkeypatch):
    """What a server logs of calls, nothing held back yet."""
    monkeypatch.setattr(interceptor, "_seldom", Seldom(interceptor.log))
    caplog.set_level("INFO", "rdiverse")
    return caplog


def test_the_log_says_ready_drain_and_end(told):
    with running() as server:
        server.do(server.serving.set_ready(ready=True))
        server.do(server.serving.set_ready(ready=True))
    port, metrics = server.serving.port, told.messages[0].split()[-4].rstrip(";")
    assert told.messages == [
        f"listening on port {port}, metrics on port {metrics}; not ready yet", "ready", "draining, at most 5 s", "ended"
    ]  # fmt: skip


def test_the_log_names_the_dependency_that_is_away_once_a_minute(server, told):
    told.clear()
    caller = Caller(server.address)
    for _ in range(5):
        failure(caller, "coder")
    (line,) = told.messages
    assert line.startswith(f"unavailable: {LOAD} from ipv4:127.0.0.1:")
    assert line.endswith(": coder: does not answer")


def test_the_log_keeps_silent_about_callers_mistakes_and_about_calls_that_go_well(server, told):
    told.clear()
    caller = Caller(server.address)
    load(caller, "fine")
    failure(caller, "field")
    with grpc.insecure_channel(server.address) as channel:
        health(channel, LIVENESS)
    assert told.messages == []


def test_the_log_tells_of_slow_calls(server, told, monkeypatch):
    monkeypatch.setattr(interceptor, "SLOW_SECONDS", 0.1)
    told.clear()
    caller = Caller(server.address)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(load, caller, "slow")
        assert server.model.entered.wait(5)
        time.sleep(0.2)
        server.loop.call_soon_threadsafe(server.model.open.set)
        slow.result(5)
    assert told.messages == [f"slow: {LOAD} took 0 s"]
