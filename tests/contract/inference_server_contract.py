"""What a server process does on every engine: votes over the wire, metrics on one port, an orderly end, and no orphans."""

import asyncio
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest
from tests.support.inference_models import make_tiny_model
from tests.support.inference_serving import Process, tiny_config

from rdiverse.config import SamplingConfig, dump_config
from rdiverse.inference.client import LanguageModelClient, ModelControlClient, RpcFailure, SolverClient
from rdiverse.lm.weights import publish, weights_version
from rdiverse.v1 import language_model_pb2
from rdiverse.v1.language_model_pb2_grpc import LanguageModelServiceStub
from rdiverse.v1.solver_pb2 import Problem, ProblemChunk, SolveRequest, SolveSettings
from rdiverse.v1.solver_pb2_grpc import SolverServiceStub

QUESTIONS = [f"Question {n}: what is {'x' * (n % 17)}?" for n in range(60)]
PROMPTS = [("", f"prompt {n}") for n in range(6)]
LONG = SamplingConfig(max_tokens=200)
GREEDY = SamplingConfig(temperature=0, max_tokens=10)


class ServerContract:
    """To be subclassed. The last test of a process ends it."""

    engine = "transformers"
    start_seconds = 120.0
    exact_seeds = True
    own_metrics: tuple[str, ...] = ()
    """Beginnings of names that the engine itself gives."""

    @pytest.fixture(scope="class")
    def process(self, tmp_path_factory) -> Iterator[Process]:
        process = self.start(tmp_path_factory.mktemp("served"))
        yield process
        process.kill()

    def start(self, folder: Path) -> Process:
        config = folder / "config.yaml"
        # vLLM's attention for CPUs knows no smaller heads.
        config.write_text(
            dump_config(tiny_config(make_tiny_model(folder / "model", head=32), engine=self.engine, max_queue_rows=2000))
        )
        return Process("solver", config, seconds=self.start_seconds)

    def test_answers_are_voted_on(self, process):
        with SolverClient(process.address) as client:
            found = client.solve([f"question {n}" for n in range(30)], 6, seed=1, return_samples=True)
        with ModelControlClient(process.address) as client:
            version = client.get_model().weights
        assert [solved.index for solved in found] == list(range(30))
        assert any(solved.votes > 1 for solved in found)
        for solved in found:
            assert solved.weights == version
            assert solved.boxed == sum(sample.answer is not None for sample in solved.samples)
            assert solved.share == pytest.approx(solved.votes / 6)

    def test_a_sender_that_pauses_gets_what_is_finished(self, process):
        """Save where a seed promises the same text whatever the timing: there only full windows are answered early."""
        with grpc.insecure_channel(process.address) as channel:
            for seed in (None,) if self.exact_seeds else (None, 4):
                sent = threading.Event()
                responses = SolverServiceStub(channel).Solve(paused(sent, seed), timeout=60)
                assert [problem.index for problem in next(responses).problems] == [5]
                sent.set()
                assert [problem.index for response in responses for problem in response.problems] == [3]

    def test_a_call_that_is_cancelled_ends_its_generation(self, process):
        with LanguageModelClient(process.address) as client:
            responses = client.generate([("", "x")] * 50, 20, sampling=LONG)
            next(responses)
            responses.close()
            wait_idle(process)
        with SolverClient(process.address) as client:
            solved = client.iter_solve(QUESTIONS, 100, sampling=LONG)
            next(solved)
            solved.close()
            wait_idle(process)

    def test_a_deadline_ends_a_call_and_its_generation(self, process):
        with LanguageModelClient(process.address) as client, pytest.raises(RpcFailure, match="DEADLINE_EXCEEDED"):
            list(client.generate([("", "x")] * 60, 30, sampling=LONG, timeout=0.5))
        wait_idle(process)

    def test_a_full_queue_turns_calls_away_and_health_stays(self, process):
        with LanguageModelClient(process.address) as client, LanguageModelClient(process.address) as other:
            responses = client.generate([("", "x")] * 100, 100, sampling=LONG)
            next(responses)
            with pytest.raises(RpcFailure, match=r"RESOURCE_EXHAUSTED \(OVERLOADED\)") as caught:
                list(other.generate([("", "x")]))
            assert caught.value.retry_seconds
            with SolverClient(process.address) as third, pytest.raises(RpcFailure, match="RESOURCE_EXHAUSTED"):
                third.solve(["x"], 1)
            assert value(process.scrape(), 'rdiverse_queue_rows{role="solver"}') > 2000
            assert process.healthy("")
            assert process.healthy("liveness")
            responses.close()
        wait_idle(process)

    def test_a_client_that_reads_slowly_does_not_hold_up_others(self, process):
        with grpc.insecure_channel(process.address) as channel, SolverClient(process.address) as client:
            request = language_model_pb2.GenerateRequest(prompts=[language_model_pb2.Prompt(user="x")] * 100, n=15)
            request.sampling.max_tokens = 4
            slow = LanguageModelServiceStub(channel).Generate(request, timeout=60)
            next(slow)
            begin = time.monotonic()
            assert len(client.solve(QUESTIONS[:4], 2)) == 4
            assert time.monotonic() - begin < 10
            assert sum(1 for _ in slow) == 1499

    def test_reload_under_load(self, process, tmp_path):
        """16 clients, 20 reloads: no call fails, and every text is what the version it names writes."""
        folders = {}
        for seed in (0, 1):
            folder = tmp_path / str(seed)
            folders[publish(folder, lambda aside, seed=seed: make_tiny_model(aside, seed, head=32) and None)] = folder
        expected = {}
        with LanguageModelClient(process.address) as client, ModelControlClient(process.address) as control:
            for version, folder in folders.items():
                control.load_weights(str(folder))
                for found in client.generate(PROMPTS, sampling=GREEDY):
                    expected[version, found.prompt_index] = found.text
        stop = threading.Event()

        def load_generator(_n: int) -> int:
            calls = 0
            with LanguageModelClient(process.address) as client:
                while not stop.is_set():
                    for found in client.generate(PROMPTS, sampling=GREEDY):
                        assert found.text == expected[found.weights, found.prompt_index]
                    calls += 1
            return calls

        with ThreadPoolExecutor(16) as pool, ModelControlClient(process.address) as control:
            clients = [pool.submit(load_generator, n) for n in range(16)]
            try:
                for n in range(20):
                    version = list(folders)[n % 2]
                    assert control.load_weights(str(folders[version])) == version
                    time.sleep(0.1)
            finally:
                stop.set()
            assert all(client.result(60) > 0 for client in clients)

    def test_a_stock_kserve_client_infers_and_swaps(self, process):
        from kserve import InferenceGRPCClient, InferInput, InferRequest
        from kserve.protocol.grpc.grpc_predict_v2_pb2 import RepositoryModelLoadRequest

        folder = process.config.parent / "model"
        text = InferInput("text", [2], "BYTES")
        text.set_data_from_numpy(np.array([b"one", b"two"], dtype=object))
        ask = InferRequest("solver", [text], parameters={"n": 3, "max_tokens": 4})

        async def main() -> list[str]:
            versions = []
            client = InferenceGRPCClient(process.address, timeout=120)
            for seed in (5, 6):
                make_tiny_model(folder, seed, head=32)
                await client._client_stub.RepositoryModelLoad(RepositoryModelLoadRequest(model_name="solver"))
                response = await client.infer(ask)
                assert response.outputs[0].as_numpy().size == 6
                assert response.parameters["weights"].string_param == weights_version(folder)
                versions.append(weights_version(folder))
            await client.close()
            return versions

        assert len(set(asyncio.run(main()))) == 2

    def test_metrics_are_ours_and_the_engines_own_on_one_port(self, process):
        before = process.scrape()
        with SolverClient(process.address) as client:
            found = client.solve([f"question {n}" for n in range(10)], 4, return_samples=True)
        after = process.scrape()

        def grown(name: str) -> float:
            return value(after, name) - value(before, name)

        assert grown("rdiverse_votes_total") == 10
        assert grown("rdiverse_self_consistency_count") == 10
        assert grown("rdiverse_self_consistency_sum") == pytest.approx(sum(solved.share for solved in found))
        tokens = sum(sample.completion_tokens for solved in found for sample in solved.samples)
        assert grown('rdiverse_completion_tokens_total{role="solver"}') == tokens
        assert value(after, 'rdiverse_queue_rows{role="solver"}') == 0
        assert value(after, 'rdiverse_running_rows{role="solver"}') == 0
        for name in self.own_metrics:
            assert f"\n{name}" in after

    def test_sigterm_finishes_what_runs_and_then_leaves_nothing(self, process):
        with SolverClient(process.address) as client:
            results = client.iter_solve(QUESTIONS[:20], 8, sampling=SamplingConfig(max_tokens=60))
            first = next(results)
            process.popen.send_signal(signal.SIGTERM)
            assert len([first, *results]) == 20
        assert process.popen.wait(30) == 0
        assert process.all_gone(5)
        with ModelControlClient(process.address) as client, pytest.raises(RpcFailure, match=r"UNAVAILABLE|DEADLINE"):
            client.get_model(timeout=1)

    def test_a_killed_server_leaves_no_process(self, tmp_path):
        process = self.start(tmp_path)
        process.kill()
        assert process.all_gone(10)


def wait_idle(process: Process, seconds: float = 2) -> None:
    """A second for the engine, as its own contract says, and one for the wire and the scrape."""
    begin = time.monotonic()
    while any(value(process.scrape(), f'rdiverse_{kind}_rows{{role="solver"}}') for kind in ("queue", "running")):
        assert time.monotonic() - begin < seconds
        time.sleep(0.02)


def paused(go_on: threading.Event, seed: int | None) -> Iterator[SolveRequest]:
    """Two problems with a pause between them."""
    yield SolveRequest(settings=SolveSettings(samples=2, seed=seed))
    yield SolveRequest(chunk=ProblemChunk(problems=[Problem(index=5, question="first")]))
    assert go_on.wait(60)
    yield SolveRequest(chunk=ProblemChunk(problems=[Problem(index=3, question="second")]))


def value(text: str, name: str) -> float:
    """The value of a metric in a scrape."""
    return next(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(f"{name} "))


__all__ = ["ServerContract"]
