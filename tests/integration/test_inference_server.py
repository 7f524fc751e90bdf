"""The server over the wire: what a client sees when all is well and when it is not."""

import threading
import urllib.request
from collections.abc import Iterable, Iterator

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.support.inference_models import make_tiny_model
from tests.support.inference_serving import Served, served, tiny_config

from rdiverse.config import SamplingConfig
from rdiverse.inference.client import (
    ChallengerClient,
    LanguageModelClient,
    ModelControlClient,
    RpcFailure,
    SolverClient,
)
from rdiverse.lm.weights import publish
from rdiverse.selfplay.parsing import last_boxed, parse_proposal
from rdiverse.v1 import solver_pb2
from rdiverse.v1.solver_pb2_grpc import SolverServiceStub

QUESTIONS = [f"Question {n}: what is {'x' * (n % 17)}?" for n in range(60)]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def solver(model) -> Iterator[Served]:
    with served("solver", tiny_config(model)) as server:
        yield server


@pytest.fixture(scope="module")
def challenger(model) -> Iterator[Served]:
    with served("challenger", tiny_config(model)) as server:
        yield server


def ready(server: Served) -> bool:
    with grpc.insecure_channel(server.address) as channel:
        reply = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
    return reply.status == health_pb2.HealthCheckResponse.SERVING


def scrape(server: Served) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.serving.metrics_port}/metrics", timeout=5) as reply:
        return reply.read().decode()


def value(text: str, name: str) -> float:
    """The value of a metric in a scrape; 0 before it was first counted."""
    return next((float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(f"{name} ")), 0.0)


def grown(name: str, before: str, after: str) -> float:
    return value(after, name) - value(before, name)


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
        yield solver_pb2.SolveRequest(chunk={"problems": [{"index": 5, "question": "first"}]})
        assert sent.wait(20)
        yield solver_pb2.SolveRequest(chunk={"problems": [{"index": 3, "question": "second"}]})

    with grpc.insecure_channel(solver.address) as channel:
        responses = SolverServiceStub(channel).Solve(requests(), timeout=30)
        assert [problem.index for problem in next(responses).problems] == [5]
        sent.set()
        assert [problem.index for problem in problems(responses)] == [3]


def problems(responses: Iterable[solver_pb2.SolveResponse]) -> Iterator[solver_pb2.SolvedProblem]:
    return (problem for response in responses for problem in response.problems)


def test_with_a_seed_full_windows_stream_out_and_a_pause_changes_no_text(solver):
    """A window is four batches of 64 rows: here 64 problems."""

    def ask(pause: threading.Event | None) -> Iterator[solver_pb2.SolveRequest]:
        settings = solver_pb2.SolveSettings(samples=4, seed=3, return_samples=True)
        yield solver_pb2.SolveRequest(settings=settings)
        for n in range(70):
            if n == 66 and pause:
                assert pause.wait(30)
            yield solver_pb2.SolveRequest(chunk={"problems": [{"index": n, "question": QUESTIONS[n % 60]}]})

    with grpc.insecure_channel(solver.address) as channel:
        stub = SolverServiceStub(channel)
        smooth = {solved.index: solved for solved in problems(stub.Solve(ask(None), timeout=60))}
        go_on = threading.Event()
        solved = problems(stub.Solve(ask(go_on), timeout=60))
        early = [next(solved) for _ in range(64)]
        assert {problem.index for problem in early} == set(range(64))
        go_on.set()
        assert {problem.index: problem for problem in [*early, *solved]} == smooth


@pytest.mark.parametrize(
    ("messages", "field"),
    [
        ([], "settings"),
        ([{"chunk": {"problems": [{"question": "x"}]}}], "settings"),
        ([{"settings": {"samples": 0}}], "settings.samples"),
        ([{"settings": {"samples": 1}}, {"settings": {"samples": 1}}], "chunk"),
        ([{"settings": {"samples": 1}}, {"chunk": {}}], "chunk.problems"),
        ([{"settings": {"samples": 1}}, {"chunk": {"problems": [{"question": ""}]}}], "problem[0].question"),
        ([{"settings": {"samples": 1}}, {"chunk": {"problems": [{"question": "x" * 2**20}]}}], "problem[0].question"),
        ([{"settings": {"samples": 1}}, {"chunk": {"problems": [{"question": "x"}, {"question": "y"}]}}], "problem.index"),
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


def test_bad_bytes_are_an_invalid_argument(solver):
    with grpc.insecure_channel(solver.address) as channel, pytest.raises(grpc.RpcError) as caught:
        list(channel.unary_stream("/rdiverse.v1.LanguageModelService/Generate")(b"\xff", timeout=5))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_metrics_of_a_solver(solver):
    before = scrape(solver)
    with SolverClient(solver.address) as client:
        found = client.solve(QUESTIONS[:9], 4, return_samples=True)
    after = scrape(solver)
    samples = [sample for solved in found for sample in solved.samples]
    assert grown("rdiverse_votes_total", before, after) == 9
    assert grown("rdiverse_unboxed_samples_total", before, after) == sum(sample.answer is None for sample in samples)
    assert grown("rdiverse_self_consistency_count", before, after) == 9
    assert grown("rdiverse_self_consistency_sum", before, after) == pytest.approx(sum(solved.share for solved in found))
    low = sum(solved.share <= 0.3 for solved in found)
    assert grown('rdiverse_self_consistency_bucket{le="0.3"}', before, after) == low
    tokens = sum(sample.completion_tokens for sample in samples)
    assert grown('rdiverse_completion_tokens_total{role="solver"}', before, after) == tokens
    assert grown('rdiverse_prompt_tokens_total{role="solver"}', before, after) > 9 * 4 * 10
    calls = 'grpc_server_call_duration_seconds_count{grpc_method="rdiverse.v1.SolverService/Solve",grpc_status="OK"}'
    assert grown(calls, before, after) == 1
    assert 'rdiverse_weights_info{role="solver",weights="' in after
    assert value(after, 'rdiverse_queue_rows{role="solver"}') == 0


def test_metrics_of_a_challenger(challenger):
    before = scrape(challenger)
    with ChallengerClient(challenger.address) as client:
        found = list(client.propose(200))
    after = scrape(challenger)
    malformed = sum(proposed.question is None for proposed in found)
    assert 0 < malformed < 200
    assert grown("rdiverse_questions_proposed_total", before, after) == 200
    assert grown("rdiverse_questions_malformed_total", before, after) == malformed
    tokens = sum(proposed.completion_tokens for proposed in found)
    assert grown('rdiverse_completion_tokens_total{role="challenger"}', before, after) == tokens


def test_comparisons_that_time_out_are_told_and_counted(tmp_path):
    hanging = r" \boxed{\sum_{n=1}^{10^{9}} \sin(n^{n})}"
    model = make_tiny_model(tmp_path / "model", marks=(" \\boxed{5}", hanging))
    with served("solver", tiny_config(model)) as server, SolverClient(server.address) as client:
        before = scrape(server)
        found = client.solve(QUESTIONS, 6, return_samples=True)
        after = scrape(server)
    answers = {sample.answer for solved in found for sample in solved.samples}
    assert len(answers - {None}) == 2
    split = [len({sample.answer for sample in solved.samples} - {None}) == 2 for solved in found]
    assert [solved.grader_timeouts for solved in found] == split, "told by every vote that it decides, asked about once"
    assert grown("rdiverse_grader_timeouts_total", before, after) == sum(split)


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
