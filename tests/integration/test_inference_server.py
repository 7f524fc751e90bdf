"""The server over the wire: what a client sees when all is well and when it is not."""

import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.inference_models import make_tiny_model
from tests.inference_serving import Served, served, tiny_config

from rdiverse.config import SamplingConfig
from rdiverse.inference.client import (
    ChallengerClient,
    LanguageModelClient,
    ModelControlClient,
    RpcFailure,
    SolverClient,
)
from rdiverse.runs.weights import publish
from rdiverse.selfplay.parsing import last_boxed, parse_proposal
from rdiverse.v1 import language_model_pb2, solver_pb2
from rdiverse.v1.language_model_pb2_grpc import LanguageModelServiceStub
from rdiverse.v1.solver_pb2_grpc import SolverServiceStub

QUESTIONS = [f"Question {n}: what is {'x' * (n % 17)}?" for n in range(60)]
SHORT = SamplingConfig(max_tokens=12)
LONG = SamplingConfig(max_tokens=200)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def solver(model) -> Iterator[Served]:
    with served("solver", tiny_config(model, max_queue_rows=2000)) as server:
        yield server


@pytest.fixture(scope="module")
def challenger(model) -> Iterator[Served]:
    with served("challenger", tiny_config(model)) as server:
        yield server


def ready(server: Served) -> bool:
    with grpc.insecure_channel(server.address) as channel:
        reply = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
    return reply.status == health_pb2.HealthCheckResponse.SERVING


def running_rows(server: Served) -> float:
    text = scrape(server)
    return sum(
        float(line.rsplit(" ", 1)[1])
        for line in text.splitlines()
        if line.startswith(('rdiverse_running_rows{role="solver"}', 'rdiverse_queue_rows{role="solver"}'))
    )


def scrape(server: Served) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.serving.metrics_port}/metrics", timeout=5) as reply:
        return reply.read().decode()


def wait_idle(server: Served, seconds: float) -> None:
    begin = time.monotonic()
    while running_rows(server):
        assert time.monotonic() - begin < seconds
        time.sleep(0.02)


def test_solve_votes_on_the_boxes_of_its_samples(solver):
    with SolverClient(solver.address) as client:
        found = client.solve(QUESTIONS, 8, seed=1, return_samples=True)
    assert [solved.index for solved in found] == list(range(60))
    assert any(solved.boxed for solved in found)
    for solved in found:
        assert len(solved.samples) == 8
        assert [sample.answer for sample in solved.samples] == [last_boxed(sample.text) for sample in solved.samples]
        assert solved.boxed == sum(sample.answer is not None for sample in solved.samples)
        assert solved.votes == sum(sample.agrees for sample in solved.samples)
        assert solved.share == pytest.approx(solved.votes / 8)
        assert (solved.answer is None) == (solved.boxed == 0)


def test_solve_with_a_seed_is_the_same_again(solver):
    with SolverClient(solver.address) as client:
        first, again, other = (client.solve(QUESTIONS, 4, seed=seed, return_samples=True) for seed in (7, 7, 8))
    assert first == again != other


def test_solve_may_leave_unboxed_samples_out_of_the_share(solver):
    with SolverClient(solver.address) as client:
        short = SamplingConfig(max_tokens=3)
        counted = client.solve(QUESTIONS, 8, seed=1, sampling=short)
        dropped = client.solve(QUESTIONS, 8, seed=1, sampling=short, drop_unboxed=True)
    partly = [i for i, solved in enumerate(counted) if 0 < solved.boxed < 8]
    assert partly
    for i in partly:
        assert counted[i].share == pytest.approx(counted[i].votes / 8)
        assert dropped[i].share == pytest.approx(dropped[i].votes / dropped[i].boxed)


def test_a_question_too_long_for_the_model_is_unanswered_and_spoils_nothing(solver):
    with SolverClient(solver.address) as client:
        found = client.solve(["short", "x" * 10_000, "short too"], 4, return_samples=True)
    assert [len(solved.samples) for solved in found] == [4, 4, 4]
    assert (found[1].answer, found[1].share, found[1].samples[0].text) == (None, 0.0, "")
    assert found[0].samples[0].completion_tokens > 0


def test_results_stream_out_before_all_questions_are_in(solver):
    sent = threading.Event()

    def requests() -> Iterator[solver_pb2.SolveRequest]:
        yield solver_pb2.SolveRequest(settings=solver_pb2.SolveSettings(samples=2))
        yield solver_pb2.SolveRequest(problem=solver_pb2.Problem(index=5, question="first"))
        assert sent.wait(20)
        yield solver_pb2.SolveRequest(problem=solver_pb2.Problem(index=3, question="second"))

    with grpc.insecure_channel(solver.address) as channel:
        responses = SolverServiceStub(channel).Solve(requests(), timeout=30)
        assert next(responses).index == 5
        sent.set()
        assert [response.index for response in responses] == [3]


@pytest.mark.parametrize(
    ("messages", "field"),
    [
        ([], "settings"),
        ([{"problem": {"question": "x"}}], "settings"),
        ([{"settings": {"samples": 0}}], "settings.samples"),
        ([{"settings": {"samples": 1}}, {"settings": {"samples": 1}}], "problem"),
        ([{"settings": {"samples": 1}}, {"problem": {"question": ""}}], "problem[0].question"),
        ([{"settings": {"samples": 1}}, {"problem": {"question": "x" * 2**20}}], "problem[0].question"),
        ([{"settings": {"samples": 1}}, {"problem": {"question": "x"}}, {"problem": {"question": "y"}}], "problem.index"),
    ],
)
def test_a_bad_stream_is_refused_naming_the_field(solver, messages, field):
    from rdiverse.grpcio_kit.client import Caller

    caller = Caller(solver.address)
    stub = SolverServiceStub(caller.channel)
    requests = iter([solver_pb2.SolveRequest(**message) for message in messages])
    with pytest.raises(RpcFailure) as caught:
        list(caller.stream("SolverService.Solve", lambda left: stub.Solve(requests, timeout=left), 20))
    assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT
    assert [name for name, _ in caught.value.fields] == [field]


def test_generate_refuses_what_it_cannot_do_naming_the_field(solver):
    with LanguageModelClient(solver.address) as client:
        for arguments, field in [
            ({"prompts": [("", "")]}, "prompts[0].user"),
            ({"prompts": [("", "x"), ("", "x" * 2**20)]}, "prompts[1].user"),
            ({"prompts": [("", "x"), ("", "x" * 3000)]}, "prompts[1].user"),
            ({"prompts": [("", "x")], "n": 0}, "n"),
            ({"prompts": [("", "x")], "n": 10_000}, "n"),
            ({"prompts": [("", "x")], "n": 2, "sampling": SamplingConfig(temperature=0)}, "n"),
        ]:
            with pytest.raises(RpcFailure) as caught:
                list(client.generate(**arguments))
            assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT
            assert [name for name, _ in caught.value.fields] == [field]


def test_services_of_other_roles_and_embeddings_are_not_there(solver):
    with ChallengerClient(solver.address) as client, pytest.raises(RpcFailure, match="UNIMPLEMENTED"):
        list(client.propose(1))
    with LanguageModelClient(solver.address) as client, pytest.raises(RpcFailure, match=r"NOT_FOUND \(UNKNOWN_MODEL\)"):
        client.embed(["x"])


def test_wrong_weights_are_refused_with_those_present(solver):
    with ModelControlClient(solver.address) as client:
        present = client.get_model().weights
    with SolverClient(solver.address) as client, pytest.raises(RpcFailure) as caught:
        client.solve(["x"], 1, expected_weights="other")
    assert (caught.value.reason, caught.value.metadata) == ("WRONG_WEIGHTS", {"weights": present})
    with SolverClient(solver.address) as client:
        assert client.solve(["x"], 1, expected_weights=present)[0].weights == present


def test_propose_gives_each_index_once_and_parses(challenger):
    with ChallengerClient(challenger.address) as client:
        found = sorted(client.propose(300, seed=2, first_index=1000), key=lambda proposed: proposed.index)
        again = sorted(client.propose(300, seed=2, first_index=1000), key=lambda proposed: proposed.index)
    assert [proposed.index for proposed in found] == list(range(1000, 1300))
    assert found == again
    wellformed = [proposed for proposed in found if proposed.question is not None]
    assert wellformed
    for proposed in found:
        parsed = parse_proposal(proposed.text)
        assert (proposed.question, proposed.answer) == (tuple(parsed) if parsed else (None, None))


def test_an_encoder_embeds_and_does_not_write(model):
    with served("encoder", tiny_config(model)) as server, LanguageModelClient(server.address) as client:
        vectors, version = client.embed(["a", "b" * 50])
        assert vectors.shape == (2, 64)
        assert (vectors**2).sum(axis=1) == pytest.approx(1, abs=1e-4)
        with ModelControlClient(server.address) as control:
            assert control.get_model().weights == version
            assert control.get_model().embedding_dimension == 64
        with pytest.raises(RpcFailure, match=r"NOT_FOUND \(UNKNOWN_MODEL\)"):
            list(client.generate([("", "x")]))
        with pytest.raises(RpcFailure, match=r"texts\[0\]"):
            client.embed([""])


def test_a_coder_writes_greedily_by_default(model):
    with served("coder", tiny_config(model)) as server, LanguageModelClient(server.address) as client:
        first, again = ([found.text for found in client.generate([("", "x")])] for _ in range(2))
    assert first == again


def test_cancelling_a_call_leaves_the_engine_idle_within_a_second(solver):
    with LanguageModelClient(solver.address) as client:
        responses = client.generate([("", "x")] * 50, 20, sampling=LONG)
        next(responses)
        responses.close()
        wait_idle(solver, 1)
    with SolverClient(solver.address) as client:
        solved = client.iter_solve(QUESTIONS, 100, sampling=LONG)
        next(solved)
        solved.close()
        wait_idle(solver, 1)


def test_a_deadline_ends_a_call_and_its_generation(solver):
    with LanguageModelClient(solver.address) as client, pytest.raises(RpcFailure, match="DEADLINE_EXCEEDED"):
        list(client.generate([("", "x")] * 50, 30, sampling=LONG, timeout=0.5))
    wait_idle(solver, 1)


def test_a_full_queue_turns_calls_away_and_health_stays(solver):
    with LanguageModelClient(solver.address) as client, LanguageModelClient(solver.address) as other:
        responses = client.generate([("", "x")] * 100, 100, sampling=LONG)
        next(responses)
        with pytest.raises(RpcFailure, match=r"RESOURCE_EXHAUSTED \(OVERLOADED\)") as caught:
            list(other.generate([("", "x")]))
        assert caught.value.retry_seconds
        with SolverClient(solver.address) as third, pytest.raises(RpcFailure, match="RESOURCE_EXHAUSTED"):
            third.solve(["x"], 1)
        assert ready(solver)
        responses.close()
    wait_idle(solver, 1)


def test_a_client_that_reads_slowly_does_not_hold_up_others(solver):
    with grpc.insecure_channel(solver.address) as channel, SolverClient(solver.address) as client:
        request = language_model_pb2.GenerateRequest(prompts=[language_model_pb2.Prompt(user="x")] * 100, n=15)
        request.sampling.max_tokens = 4
        slow = LanguageModelServiceStub(channel).Generate(request, timeout=60)
        next(slow)
        begin = time.monotonic()
        assert len(client.solve(QUESTIONS[:4], 2, sampling=SHORT)) == 4
        assert time.monotonic() - begin < 10
        assert sum(1 for _ in slow) == 1499


def test_bad_bytes_are_an_invalid_argument(solver):
    with grpc.insecure_channel(solver.address) as channel, pytest.raises(grpc.RpcError) as caught:
        list(channel.unary_stream("/rdiverse.v1.LanguageModelService/Generate")(b"\xff", timeout=5))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_metrics_tell_of_votes_tokens_and_weights(solver):
    with SolverClient(solver.address) as client:
        client.solve(QUESTIONS[:3], 2)
    text = scrape(solver)
    for name in (
        "rdiverse_votes_total", "rdiverse_self_consistency_bucket", 'rdiverse_completion_tokens_total{role="solver"}',
        'rdiverse_queue_rows{role="solver"}', "rdiverse_grader_timeouts_total", 'rdiverse_weights_info{role="solver"',
        'grpc_server_call_duration_seconds_count{grpc_method="rdiverse.v1.SolverService/Solve",grpc_status="OK"}',
    ):  # fmt: skip
        assert name in text


def test_weights_change_without_a_restart_and_broken_ones_are_refused(model, tmp_path):
    other = tmp_path / "other"
    version = publish(other, lambda aside: make_tiny_model(aside, 1) and None)
    with (
        served("solver", tiny_config(model)) as server,
        ModelControlClient(server.address) as control,
        LanguageModelClient(server.address) as client,
    ):

        def greedy() -> list[str]:
            return [found.text for found in client.generate([("", "x")], sampling=SamplingConfig(temperature=0, max_tokens=9))]

        old, before = control.get_model().weights, greedy()
        with pytest.raises(RpcFailure, match=r"FAILED_PRECONDITION \(BAD_CHECKPOINT\): /nowhere: is not a directory"):
            control.load_weights("/nowhere")
        with pytest.raises(RpcFailure, match="BAD_CHECKPOINT"):
            control.load_weights(str(other), "another version")
        assert (control.get_model().weights, greedy()) == (old, before)
        assert ready(server)
        assert control.load_weights(str(other), version) == version
        assert greedy() != before
        assert control.load_weights(str(other), version) == version, "loading what is there already is no change"


def test_reload_under_load(model, tmp_path):
    """16 clients, 20 reloads: no call fails, and every text is what the version it names writes."""
    folders = {}
    for seed in (0, 1):
        folder = tmp_path / str(seed)
        folders[publish(folder, lambda aside, seed=seed: make_tiny_model(aside, seed) and None)] = folder
    greedy = SamplingConfig(temperature=0, max_tokens=10)
    prompts = [("", f"prompt {n}") for n in range(6)]
    with served("solver", tiny_config(next(iter(folders.values())))) as server, ModelControlClient(server.address) as control:
        expected = {}
        with LanguageModelClient(server.address) as client:
            for version, folder in folders.items():
                control.load_weights(str(folder))
                for found in client.generate(prompts, sampling=greedy):
                    expected[version, found.prompt_index] = found.text
        stop = threading.Event()

        def load_generator(_n: int) -> int:
            calls = 0
            with LanguageModelClient(server.address) as client:
                while not stop.is_set():
                    for found in client.generate(prompts, sampling=greedy):
                        assert found.text == expected[found.weights, found.prompt_index]
                    calls += 1
            return calls

        with ThreadPoolExecutor(16) as pool:
            clients = [pool.submit(load_generator, n) for n in range(16)]
            try:
                for n in range(20):
                    version = list(folders)[n % 2]
                    assert control.load_weights(str(folders[version])) == version
                    time.sleep(0.1)
            finally:
                stop.set()
            assert all(client.result(60) > 0 for client in clients)
