"""The diversity service as a process, on Milvus Lite's server as another, asked through its client."""

import asyncio
import json
import secrets
import subprocess
import sys
import urllib.request

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.diversity_oracle import expected_scores
from tests.support.diversity_servers import DIMENSION, Coder, Lite, Service, running

from rdiverse.diversity.client import AsyncDiversityClient, DiversityClient, Item, PenaltyConstants, RpcFailure


@pytest.fixture(scope="module")
def coder():
    server = Coder()
    with running(server):
        yield server


@pytest.fixture(scope="module")
def service(tmp_path_factory, coder):
    folder = tmp_path_factory.mktemp("diversity")
    lite = Lite(folder)
    server = Service(folder, lite.uri, coder=coder.address)
    with running(lite, server):
        yield server


@pytest.fixture(scope="module")
def client(service):
    with DiversityClient(service.address, retry_seconds=5) as opened:
        yield opened


@pytest.fixture
def run(client):
    name = f"test-{secrets.token_hex(4)}"
    yield name
    if name in [found.run for found in client.list_runs()]:
        client.delete_run(name)


def items(vectors) -> list[Item]:
    return [Item(f"question {index}", vector=vector, answer=str(index), share=0.5) for index, vector in enumerate(vectors)]


def check(found, expected):
    for score, wanted in zip(found, expected, strict=True):
        assert score.p_rep == pytest.approx(wanted.p_rep, abs=1e-9)
        assert score.s_max == pytest.approx(wanted.s_max, abs=1e-5)
        assert score.s_mean == pytest.approx(wanted.s_mean, abs=1e-5)
        assert score.p_map == pytest.approx(wanted.p_map, abs=1e-5)


class TestNumbers:
    def test_by_hand(self, client, run):
        """Two dimensions suffice: three items east, one north; the memory holds east twice and west."""
        east, north, west = np.eye(8)[0], np.eye(8)[1], -np.eye(8)[0]
        client.commit(run, 1, items([east, east, west]))
        scored = client.score(run, items([east, 2 * east, east, north]), 2)
        assert [score.p_rep for score in scored] == [0.75, 0.75, 0.75, 0.25]
        assert [score.cluster for score in scored.scores[:3]] == [scored[0].cluster] * 3
        assert scored[0].s_max == pytest.approx(1)
        assert scored[0].s_mean == pytest.approx(1 / 3)
        assert scored[0].p_map == pytest.approx(0.5 * (1 - 0.5) + 0.5 * (1 / 3 - 0.25))
        assert (scored[3].s_max, scored[3].s_mean, scored[3].p_map) == (0, 0, 0)
        assert (scored.batch_size, scored.clusters, scored.memory_items) == (4, 2, 3)

    def test_an_empty_memory_costs_nothing(self, client, run):
        check(client.score(run, items(np.eye(4)), 1), expected_scores(list(np.eye(4)), []))

    def test_only_smaller_iterations_are_seen(self, client, run):
        rng = np.random.default_rng(5)
        first, second, batch = (rng.normal(size=(6, 16)).astype(np.float32) for _ in range(3))
        client.commit(run, 1, items(first))
        client.commit(run, 2, items(second))
        check(client.score(run, items(batch), 1), expected_scores(list(batch), []))
        check(client.score(run, items(batch), 2), expected_scores(list(batch), list(first)))
        check(client.score(run, items(batch), 3), expected_scores(list(batch), [*first, *second]))

    def test_constants_are_the_callers(self, client, run):
        rng = np.random.default_rng(6)
        held, batch = rng.normal(size=(9, 4)).astype(np.float32), rng.normal(size=(8, 4)).astype(np.float32)
        client.commit(run, 1, items(held))
        penalty = PenaltyConstants(cluster_threshold=1.2, gamma=0.2, tau_max=-0.1, tau_mean=-0.5)
        wanted = expected_scores(list(batch), list(held), threshold=1.2, gamma=0.2, tau_max=-0.1, tau_mean=-0.5)
        check(client.score(run, items(batch), 2, penalty=penalty), wanted)

    @settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    def test_the_oracle_agrees_on_anything(self, client, data):
        """Directions are drawn from a few axes and a few random ones, so that equals, opposites and ties abound."""
        dimension = data.draw(st.sampled_from([2, 3, 16]))
        axes = [*np.eye(dimension), *-np.eye(dimension), np.ones(dimension)]
        noise = np.random.default_rng(data.draw(st.integers(0, 9))).normal(size=(4, dimension))
        vectors = st.sampled_from([np.asarray(vector, dtype=np.float32) for vector in [*axes, *noise]])
        scale = st.sampled_from([1.0, 3.5, 1e-20, 1e20])
        held = data.draw(st.lists(vectors, min_size=0, max_size=8))
        batch = [vector * data.draw(scale) for vector in data.draw(st.lists(vectors, min_size=1, max_size=8))]
        run = f"hypothesis-{secrets.token_hex(6)}"
        if held:
            client.commit(run, 1, items(held))
        try:
            scored = client.score(run, items(batch), 2)
            wanted = expected_scores(batch, held)
            for score, one in zip(scored, wanted, strict=True):
                assert score.s_max == pytest.approx(one.s_max, abs=1e-5)
                assert score.s_mean == pytest.approx(one.s_mean, abs=1e-5)
                assert score.p_map == pytest.approx(one.p_map, abs=1e-5)
            order = data.draw(st.permutations(range(len(batch))))
            # The order of a batch is that of vectors; what an item is called does not count.
            shuffled = client.score(run, items([batch[index] for index in order]), 2)
            assert [score.p_rep for score in shuffled] == [scored[index].p_rep for index in order]
        finally:
            if held:
                client.delete_run(run)

    @settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 14), spread=st.floats(0.05, 2))
    def test_clusters_are_average_linkage(self, client, seed, count, spread):
        """Without ties there is one right answer."""
        rng = np.random.default_rng(seed)
        centres = rng.normal(size=(4, 12))
        batch = [(centres[rng.integers(4)] + spread * rng.normal(size=12)).astype(np.float32) for _ in range(count)]
        found = [score.p_rep for score in client.score("no-memory", items(batch), 1)]
        assert found == pytest.approx([one.p_rep for one in expected_scores(batch, [])])

    def test_bleu_clusters_words(self, client, run, coder):
        asked = len(coder.asked)
        texts = ["the cat sat on the mat today"] * 2 + ["a wholly different sentence about ships at sea"]
        scored = client.score(run, texts, 1, distance="bleu")
        assert [score.p_rep for score in scored] == pytest.approx([2 / 3, 2 / 3, 1 / 3])
        assert len(coder.asked) == asked, "nobody needs a program for that"

    def test_words_are_a_memory_of_their_own(self, client, run):
        client.commit(f"{run}.text", 1, [Item("Anna has 3 apples")], representation="text")
        try:
            same, other = client.score(f"{run}.text", ["Anna has 3 apples", "where is the sun"], 2, representation="text")
            assert same.s_max == pytest.approx(1, abs=1e-6)
            assert other.s_max < 0.3
            with pytest.raises(RpcFailure, match="INCOMPATIBLE_MEMORY"):
                client.score(f"{run}.text", ["What is 2 + 3?"], 2)
        finally:
            client.delete_run(f"{run}.text")


class TestSam:
    def test_each_reply_says_what_was_used(self, client, run):
        own = np.zeros(DIMENSION, dtype=np.float32)
        own[3] = 2
        brought = "def solver(a=1, b=2):\n    return a * b"
        batch = [Item("What is 7 * 8?"), Item("anything", program=brought), Item("anything else", vector=own)]
        by_coder, by_program, by_vector = client.score(run, batch, 1, return_programs=True, return_vectors=True)
        assert (by_coder.origin, by_program.origin, by_vector.origin) == ("question", "program", "vector")
        assert by_coder.program == "def solver(n1=7, n2=8):\n    return n1 * n2"
        np.testing.assert_array_equal(by_coder.vector, by_program.vector)
        np.testing.assert_allclose(by_vector.vector, own / 2)
        assert by_coder.cluster == by_program.cluster != by_vector.cluster

    def test_a_coder_is_asked_once_about_a_question(self, client, run, coder):
        question = f"What is {secrets.randbelow(10**6)} + {secrets.randbelow(10**6)}?"
        client.score(run, [question, question], 1)
        client.score(run, [question], 1)
        assert coder.attempts[question] == 1

    def test_a_new_coder_is_asked_anew(self, service, tmp_path, coder, client, run):
        question = f"What is {secrets.randbelow(10**6)} - {secrets.randbelow(10**6)}?"
        first = client.score(run, [question], 1).embedding_version
        coder.weights = "coder-2"
        try:
            # The service believes for ten seconds that the coder is the same; another one knows at once.
            other = Service(
                tmp_path, f"http://127.0.0.1:{free_milvus(service)}", coder=coder.address, environment=REPLICA(service)
            )
            with running(other), DiversityClient(other.address) as opened:
                second = opened.score(run, [question], 1).embedding_version
        finally:
            coder.weights = "coder-1"
        assert first != second
        assert coder.attempts[question] == 2

    def test_what_a_new_coder_writes_is_not_taken_for_the_old_ones(self, client, run, coder):
        """The service has asked for the version a moment ago; the coder has got other weights since."""
        first = client.score(run, [f"What is {secrets.randbelow(10**6)} * 3?"], 1).embedding_version
        coder.weights = "coder-3"
        try:
            second = client.score(run, [f"What is {secrets.randbelow(10**6)} * 4?"], 1).embedding_version
            assert first.startswith("coder-1")
            assert second.startswith("coder-3")
        finally:
            coder.weights = "coder-1"

    def test_a_failure_is_tried_once_more_and_then_pays_in_full(self, client, run, coder):
        client.commit(run, 1, [Item("What is 1 + 1?", answer="2", share=0.5)])
        coder.reply = lambda question, attempt: (
            "no idea" if "2 + 2" in question or attempt == 1 else "<code>\ndef s(a=1):\n return a\n</code>"
        )
        numbers = secrets.token_hex(4)
        try:
            bad, late, good = client.score(
                run, [f"{numbers} What is 2 + 2?", f"{numbers} late", Item("x", program="def f(a, b): return a - b")], 2
            )
        finally:
            coder.reply = None
        assert coder.attempts[f"{numbers} What is 2 + 2?"] == coder.attempts[f"{numbers} late"] == 2
        assert "no program" in bad.failure
        assert (bad.p_rep, bad.cluster, bad.p_map) == (1.0, -1, pytest.approx(0.625))
        assert not late.failure
        assert late.p_rep == good.p_rep == pytest.approx(1 / 3), "the failed one counts in |B|"
        assert client.score(run, [f"{numbers} What is 2 + 2?"], 1)[0].p_map == 0, "nothing to repeat in an empty memory"
        assert coder.attempts[f"{numbers} What is 2 + 2?"] == 2, "failures are remembered too"

    def test_a_coder_that_echoes_makes_no_giant_cluster(self, client, run, coder):
        echo = "<code>\ndef solver(n1=40, n2=3, n3=5):\n    return n1 - n2 * n3\n</code>"
        coder.reply = lambda question, attempt: echo
        try:
            scored = client.score(run, [f"What about {secrets.token_hex(3)}?" for _ in range(3)], 1)
        finally:
            coder.reply = None
        assert [score.failure for score in scored] == ["the coder repeated its prompt"] * 3
        assert scored.clusters == 0

    def test_what_cannot_be_embedded_is_not_committed(self, client, run):
        with pytest.raises(RpcFailure) as caught:
            client.commit(run, 1, [Item("What is 1 + 2?"), Item("nonsense")])
        assert caught.value.fields[0][0] == "items[1]"
        assert run not in [found.run for found in client.list_runs()]


def free_milvus(service: Service) -> int:
    return int(service._environment["RDIVERSE_MILVUS_URI"].rpartition(":")[2])


def REPLICA(service: Service) -> dict[str, str]:
    cache = service._environment["RDIVERSE_CACHE_DIR"]
    return {"RDIVERSE_DIVERSITY_WRITER_ADDRESS": service.address, "RDIVERSE_CACHE_DIR": cache}


class TestMemory:
    def test_a_run_from_beginning_to_end(self, client, run):
        questions = [f"What is {index} + {index * 3} * 2?" for index in range(40)]
        first = client.commit(run, 1, [Item(text, answer="1", share=0.4) for text in questions[:30]])
        again = client.commit(run, 1, [Item(text, answer="1", share=0.4) for text in questions[:30]])
        assert (first.items, first.already_committed, again.already_committed) == (30, False, True)
        assert again.revision == first.revision
        second = client.commit(run, 2, [Item(text, answer="2", share=0.6) for text in questions[30:]])
        stats = client.get_stats(run, min_revision=second.revision)
        assert [(entry.iteration, entry.items) for entry in stats.iterations] == [(1, 30), (2, 10)]
        assert (stats.dimension, stats.representation, stats.revision) == (DIMENSION, "program", second.revision)
        found = client.find_neighbors(run, "What is 9 + 9 * 9?", 3, 4)
        assert [near.similarity for near in found.neighbors] == pytest.approx([1] * 4, abs=1e-6)
        assert found.program == "def solver(n1=9, n2=9, n3=9):\n    return n1 + n2 * n3"
        revision, dropped = client.rollback(run, 1)
        assert dropped == [2]
        assert client.get_stats(run, min_revision=revision).iterations[-1].iteration == 1
        assert client.delete_run(run) == 30
        with pytest.raises(RpcFailure, match="UNKNOWN_RUN"):
            client.get_stats(run)

    def test_replay_is_a_uniform_draw_that_a_seed_repeats(self, client, run):
        client.commit(run, 1, items(np.eye(40)[:30]))
        client.commit(run, 2, items(np.eye(40)[30:]))
        drawn = client.sample_replay(run, 3, 20, seed=7)
        keys = [(item.iteration, item.index) for item in drawn]
        assert len(set(keys)) == 20
        assert keys == [(item.iteration, item.index) for item in client.sample_replay(run, 3, 20, seed=7)]
        assert keys != [(item.iteration, item.index) for item in client.sample_replay(run, 3, 20, seed=8)]
        assert {item.iteration for item in client.sample_replay(run, 2, 50, seed=1)} == {1}, "earlier iterations only"
        assert len(client.sample_replay(run, 2, 50, seed=1)) == 30, "fewer when there are fewer"
        assert len(client.sample_replay(run, 1, 50, seed=1)) == 0
        counts = np.zeros(40)
        for seed in range(150):
            for item in client.sample_replay(run, 3, 10, seed=seed):
                counts[item.index + (30 if item.iteration == 2 else 0)] += 1
        # 150 draws of 10 out of 40: 37.5 each with standard deviation 5.3.
        assert np.abs(counts - 37.5).max() < 5 * 5.3

    def test_duplicates_keep_their_multiplicity(self, client, run):
        twice = [Item("What is 1 + 1?", answer="2", share=0.5)] * 2 + [Item("What is 5 + 1?", answer="6", share=0.5)]
        client.commit(run, 1, twice)
        drawn = sorted(item.question for item in client.sample_replay(run, 2, 9, seed=0))
        assert drawn == ["What is 1 + 1?", "What is 1 + 1?", "What is 5 + 1?"]

    def test_a_read_may_demand_a_revision(self, client, run):
        revision = client.commit(run, 1, items(np.eye(4))).revision
        assert client.score(run, items(np.eye(4)), 2, min_revision=revision).revision == revision
        with pytest.raises(RpcFailure, match="STALE_REVISION"):
            client.score(run, items(np.eye(4)), 2, min_revision=str(int(revision) + 1))


class TestReplica:
    def test_it_reads_itself_and_hands_writes_on(self, service, client, run, tmp_path, coder):
        replica = Service(
            tmp_path, f"http://127.0.0.1:{free_milvus(service)}", coder=coder.address, environment=REPLICA(service)
        )
        with running(replica), DiversityClient(replica.address) as opened:
            revision = opened.commit(run, 1, items(np.eye(5))).revision
            assert opened.get_stats(run, min_revision=revision).iterations[0].items == 5
            assert client.get_stats(run).revision == revision
            assert opened.score(run, items(np.eye(5)), 2)[0].s_max == pytest.approx(1)
            with pytest.raises(RpcFailure, match="ITERATION_OUT_OF_ORDER"):
                opened.commit(run, 7, items(np.eye(5)))
            assert opened.rollback(run, 0)[1] == [1]
            assert opened.delete_run(run) == 0
            with pytest.raises(RpcFailure, match="UNKNOWN_RUN"):
                opened.delete_run(run)


class TestClient:
    def test_async_says_the_same(self, service, client, run):
        async def ask():
            async with AsyncDiversityClient(service.address) as opened:
                committed = await opened.commit(run, 1, items(np.eye(6)))
                scored = await opened.score(run, items(np.eye(6)), 2, return_nearest=True)
                drawn = await opened.sample_replay(run, 2, 3, seed=1)
                near = await opened.find_neighbors(run, Item("x", vector=np.eye(6)[2]), 2, 1)
                stats = await opened.get_stats(run)
                with pytest.raises(RpcFailure, match="UNKNOWN_RUN") as caught:
                    await opened.get_stats("nobody")
                assert caught.value.reason == "UNKNOWN_RUN"
                return committed, scored, drawn, near, stats, await opened.list_runs()

        committed, scored, drawn, near, stats, runs = asyncio.run(ask())
        assert scored == client.score(run, items(np.eye(6)), 2, return_nearest=True)
        assert drawn == client.sample_replay(run, 2, 3, seed=1)
        assert near.neighbors[0].item.question == "question 2"
        assert stats == client.get_stats(run)
        assert stats.revision == committed.revision
        assert run in [found.run for found in runs]

    def test_it_imports_nothing_heavy(self):
        script = (
            "import sys, json, rdiverse.diversity.client\n"
            "print(json.dumps([name for name in ('torch', 'kserve', 'pymilvus', 'milvus_lite', 'sklearn', 'scipy', 'pandas',"
            " 'transformers', 'pydantic') if name in sys.modules]))"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        assert json.loads(done.stdout) == []

    def test_large_batches_stream(self, client, run):
        rng = np.random.default_rng(1)
        vectors = rng.normal(size=(3000, 64)).astype(np.float32)
        client.commit(run, 1, items(vectors))
        scored = client.score(run, items(vectors), 2, return_vectors=True)
        assert len(scored) == 3000
        assert min(score.s_max for score in scored) == pytest.approx(1, abs=1e-5)


def test_metrics_tell_what_happens(service, client, run):
    client.commit(run, 1, items(np.eye(5)))
    client.score(run, ["What is 3 + 3?", "What is 3 + 3?"], 1)
    client.score(run, items(np.eye(5)), 2)
    with urllib.request.urlopen(f"http://127.0.0.1:{service.metrics_port}/metrics", timeout=5) as response:
        text = response.read().decode()
    for name in (
        "grpc_server_call_duration", 'grpc_method="rdiverse.v1.DiversityService/Score"', "rdiverse_sam_cache_requests_total",
        "rdiverse_sam_failures_total", f'rdiverse_memory_items{{run="{run}"}} 5.0', "rdiverse_memory_search_seconds_count",
        "rdiverse_memory_commit_seconds_count", "rdiverse_batch_clusters_sum",
    ):  # fmt: skip
        assert name in text, name
