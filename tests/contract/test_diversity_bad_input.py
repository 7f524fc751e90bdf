"""Bad input is refused with the field's name; nothing is written and the server stays up."""

import random
from pathlib import Path

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from tests.support.diversity_servers import Lite, Service, running

from rdiverse.diversity.client import DiversityClient, Item
from rdiverse.v1 import diversity_pb2 as pb
from rdiverse.v1.diversity_pb2_grpc import DiversityServiceStub

GOOD = pb.Item(question="one", vector=np.eye(8, dtype="<f4")[0].tobytes())
DIGEST = "0" * 64


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("diversity")
    lite = Lite(folder)
    server = Service(folder, lite.uri)
    with running(lite, server):
        with DiversityClient(server.address) as client:
            client.commit("known", 1, [Item("a", vector=np.eye(8)[0]), Item("b", vector=np.eye(8)[1])])
        yield server


@pytest.fixture(scope="module")
def channel(service):
    options = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(service.address, options) as opened:
        yield opened


@pytest.fixture
def stub(channel, service):
    yield DiversityServiceStub(channel)
    with DiversityClient(service.address) as client:
        stats = client.get_stats("known")
        assert [(entry.iteration, entry.items) for entry in stats.iterations] == [(1, 2)], "nothing was written"
        assert [run.run for run in client.list_runs()] == ["known"]
    assert service.alive()


def refused(call) -> tuple[grpc.StatusCode, str, list[str]]:
    """Status, reason and fields of an error, after checking that it gives nothing away."""
    with pytest.raises(grpc.RpcError) as caught:
        _all(call())
    error = caught.value
    found = f"{error.details()} {error.trailing_metadata()}"
    for secret in ("Traceback", "site-packages", "/home", "/tmp", "/work", ".py", str(Path.cwd())):
        assert secret not in found, found
    status = rpc_status.from_call(error)
    reason, fields = "", []
    for detail in status.details if status else ():
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            assert info.domain == "rdiverse"
            reason = info.reason
        elif detail.Unpack(bad):
            fields = [violation.field for violation in bad.field_violations]
    return error.code(), reason, fields


def _all(answer):
    """Read a stream to its end; a single message is an answer by itself."""
    return list(answer) if hasattr(answer, "__next__") else answer


def score(stub, *items: pb.Item, run: str = "known", **header):
    messages = [pb.ScoreRequest(header=pb.ScoreHeader(run=run, before_iteration=header.pop("before_iteration", 2), **header))]
    messages += [pb.ScoreRequest(chunk=pb.ItemChunk(items=items[at : at + 1000])) for at in range(0, len(items), 1000)]
    return stub.Score(iter(messages), timeout=60)


def commit(stub, *items: pb.Item, run: str = "known", iteration: int = 2, digest: str = DIGEST):
    header = pb.CommitHeader(run=run, iteration=iteration, digest=digest)
    return stub.Commit(iter([pb.CommitRequest(header=header), pb.CommitRequest(chunk=pb.ItemChunk(items=items))]), timeout=60)


def vector(*values: float) -> bytes:
    return np.array(values, dtype="<f4").tobytes()


ITEMS = {
    "a vector with NaN": (pb.Item(question="q", vector=vector(1, float("nan"), *[0] * 6)), "items[1].vector"),
    "a vector with infinity": (pb.Item(question="q", vector=vector(float("inf"), *[0] * 7)), "items[1].vector"),
    "a zero vector": (pb.Item(question="q", vector=vector(*[0] * 8)), "items[1].vector"),
    "a short vector": (pb.Item(question="q", vector=vector(1, 2)), "items[1].vector"),
    "a long vector": (pb.Item(question="q", vector=vector(*[1] * 9)), "items[1].vector"),
    "a vector that is cut": (pb.Item(question="q", vector=b"\0\0\x80?\0\0"), "items[1].vector"),
    "an enormous vector": (pb.Item(question="q", vector=vector(*[1] * 40_000)), "items[1].vector"),
    "no question": (pb.Item(vector=GOOD.vector), "items[1].question"),
    "a blank question": (pb.Item(question=" \n\t", vector=GOOD.vector), "items[1].question"),
    "a question of a mebibyte": (pb.Item(question="x" * 2**20, vector=GOOD.vector), "items[1].question"),
    "a program of a mebibyte": (pb.Item(question="q", program="x" * 2**20, vector=GOOD.vector), "items[1].program"),
    "NUL in a question": (pb.Item(question="a\0b", vector=GOOD.vector), "items[1].question"),
    "escape in a question": (pb.Item(question="a\x1b[2Jb", vector=GOOD.vector), "items[1].question"),
    "NUL in a program": (pb.Item(question="q", program="a\0", vector=GOOD.vector), "items[1].program"),
}


@pytest.mark.parametrize("case", ITEMS)
def test_items(stub, case):
    item, field = ITEMS[case]
    invalid = (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", [field])
    assert refused(lambda: score(stub, GOOD, item)) == invalid
    assert refused(lambda: commit(stub, GOOD, item)) == invalid
    request = pb.FindNeighborsRequest(run="known", before_iteration=2, item=item, count=1)
    code, reason, fields = refused(lambda: stub.FindNeighbors(request, timeout=60))
    assert (code, reason, fields) == (*invalid[:2], [field.replace("items[1]", "item")])


@pytest.mark.parametrize(
    ("item", "field"),
    [
        (pb.Item(question="q", vector=GOOD.vector, share=float("nan")), "items[1].share"),
        (pb.Item(question="q", vector=GOOD.vector, share=1.5), "items[1].share"),
        (pb.Item(question="q", vector=GOOD.vector, share=-0.1), "items[1].share"),
        (pb.Item(question="q", vector=GOOD.vector, answer="x" * 2**20), "items[1].answer"),
        (pb.Item(question="q", vector=GOOD.vector, answer="\x07"), "items[1].answer"),
        (pb.Item(question="q", program="not a program"), "items[1]"),
    ],
)
def test_items_of_a_commit(stub, item, field):
    assert refused(lambda: commit(stub, GOOD, item)) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", [field])


RUNS = [
    "", "A", "-a", ".a", "a" * 65, "a b", 'a" or run != "', "a' or '1'=='1", "a\\", "a/../b", "a\n", "ä", "~writer", "a_b",
    "a%", "a*", "a\0",
]  # fmt: skip


@pytest.mark.parametrize("run", RUNS)
def test_run_ids_that_try_to_be_something_else(stub, run):
    def field(name):
        return (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", [name])

    assert refused(lambda: score(stub, GOOD, run=run)) == field("header.run")
    assert refused(lambda: commit(stub, GOOD, run=run)) == field("header.run")
    for call in (
        lambda: stub.GetStats(pb.GetStatsRequest(run=run), timeout=30),
        lambda: stub.Rollback(pb.RollbackRequest(run=run), timeout=30),
        lambda: stub.DeleteRun(pb.DeleteRunRequest(run=run), timeout=30),
        lambda: stub.SampleReplay(pb.SampleReplayRequest(run=run, before_iteration=1, count=1), timeout=30),
        lambda: stub.FindNeighbors(pb.FindNeighborsRequest(run=run, before_iteration=1, item=GOOD, count=1), timeout=30),
    ):
        assert refused(call) == field("run")


HEADERS = [
    ({"before_iteration": -1}, "header.before_iteration"),
    ({"before_iteration": 2**31 - 1}, "header.before_iteration"),
    ({"representation": 7}, "header.representation"),
    ({"min_revision": "x"}, "min_revision"),
    ({"min_revision": "9" * 40}, "min_revision"),
    ({"penalty": pb.Penalty(distance=9)}, "header.penalty.distance"),
    ({"penalty": pb.Penalty(cluster_threshold=0)}, "header.penalty.cluster_threshold"),
    ({"penalty": pb.Penalty(cluster_threshold=2.1)}, "header.penalty.cluster_threshold"),
    ({"penalty": pb.Penalty(gamma=float("nan"))}, "header.penalty.gamma"),
    ({"penalty": pb.Penalty(gamma=-0.1)}, "header.penalty.gamma"),
    ({"penalty": pb.Penalty(tau_max=float("inf"))}, "header.penalty.tau_max"),
    ({"penalty": pb.Penalty(tau_mean=-1.5)}, "header.penalty.tau_mean"),
]


@pytest.mark.parametrize(("header", "field"), HEADERS)
def test_headers(stub, header, field):
    assert refused(lambda: score(stub, GOOD, **header)) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", [field])


@pytest.mark.parametrize("digest", ["", "0" * 63, "0" * 65, "G" * 64, "A" * 64])
def test_digests(stub, digest):
    assert refused(lambda: commit(stub, GOOD, digest=digest))[2] == ["header.digest"]


def test_batches_have_bounds(stub):
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    assert refused(lambda: score(stub))[::2] == (invalid, ["items"])
    assert refused(lambda: score(stub, *[GOOD] * 100_000))[::2] == (invalid, ["items"])
    chunk = pb.ScoreRequest(chunk=pb.ItemChunk(items=[GOOD] * 100_000))
    header = pb.ScoreRequest(header=pb.ScoreHeader(run="known", before_iteration=2))
    assert refused(lambda: stub.Score(iter([header, chunk]), timeout=60))[::2] == (invalid, ["chunk.items"])
    assert refused(lambda: stub.Score(iter([header, pb.ScoreRequest(chunk=pb.ItemChunk())]), timeout=60))[2] == ["chunk.items"]


def test_streams_have_an_order(stub):
    header = pb.ScoreRequest(header=pb.ScoreHeader(run="known", before_iteration=2))
    chunk = pb.ScoreRequest(chunk=pb.ItemChunk(items=[GOOD]))
    cases = [([], "header"), ([chunk], "header"), ([header, header], "header"), ([header], "items")]
    for messages, field in [*cases, ([header, pb.ScoreRequest()], "payload")]:
        assert refused(lambda messages=messages: stub.Score(iter(messages), timeout=30)) == (
            grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", [field],
        )  # fmt: skip
    assert refused(lambda: stub.Commit(iter([]), timeout=30))[2] == ["header"]


def test_states_that_do_not_allow_it(stub):
    assert refused(lambda: stub.GetStats(pb.GetStatsRequest(run="unknown"), timeout=30))[:2] == (
        grpc.StatusCode.NOT_FOUND, "UNKNOWN_RUN",
    )  # fmt: skip
    for iteration in (3, 1000):
        assert refused(lambda iteration=iteration: commit(stub, GOOD, iteration=iteration))[:2] == (
            grpc.StatusCode.FAILED_PRECONDITION, "ITERATION_OUT_OF_ORDER",
        )  # fmt: skip
    assert refused(lambda: commit(stub, GOOD, iteration=1))[:2] == (grpc.StatusCode.ALREADY_EXISTS, "DIGEST_MISMATCH")
    assert refused(lambda: commit(stub, GOOD, iteration=0))[2] == ["header.iteration"]
    assert refused(lambda: commit(stub, GOOD, iteration=1001))[2] == ["header.iteration"]
    for count in (0, -1, 1_000_001):
        request = pb.SampleReplayRequest(run="known", before_iteration=2, count=count)
        assert refused(lambda request=request: stub.SampleReplay(request, timeout=30))[2] == ["count"]


def test_a_message_beyond_the_limit_is_turned_away(stub):
    huge = pb.ScoreRequest(chunk=pb.ItemChunk(items=[pb.Item(question="x", vector=b"\0" * (70 * 2**20))]))
    header = pb.ScoreRequest(header=pb.ScoreHeader(run="known", before_iteration=2))
    assert refused(lambda: stub.Score(iter([header, huge]), timeout=60))[0] is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_random_bytes_never_give_unknown_or_internal(stub, channel):
    noise = random.Random(3)
    template = pb.CommitRequest(header=pb.CommitHeader(run="known", iteration=2, digest=DIGEST)).SerializeToString()
    methods = [
        ("Score", channel.stream_stream), ("Commit", channel.stream_unary), ("SampleReplay", channel.unary_stream),
        ("FindNeighbors", channel.unary_unary), ("GetStats", channel.unary_unary), ("Rollback", channel.unary_unary),
    ]  # fmt: skip
    seen = {}
    for _ in range(300):
        name, kind = noise.choice(methods)
        data = bytearray(noise.randbytes(noise.randrange(60)) if noise.random() < 0.5 else template)
        for _ in range(noise.randrange(4)):
            if data:
                data[noise.randrange(len(data))] = noise.randrange(256)
        call = kind(f"/rdiverse.v1.DiversityService/{name}")
        requests = iter([bytes(data)]) if name in ("Score", "Commit") else bytes(data)
        try:
            _all(call(requests, timeout=30))
        except grpc.RpcError as error:
            seen.setdefault(error.code(), (name, bytes(data), error.details()))
    assert grpc.StatusCode.INVALID_ARGUMENT in seen
    assert grpc.StatusCode.UNKNOWN not in seen, seen
    assert grpc.StatusCode.INTERNAL not in seen, seen


def test_one_text_in_place_of_a_list_is_refused_before_it_becomes_characters():
    with DiversityClient("127.0.0.1:1") as client, pytest.raises(TypeError, match="must be a list of questions, not one text"):
        client.score("run", "What is 2 + 3?", 1)
