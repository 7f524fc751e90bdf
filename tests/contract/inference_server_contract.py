"""What a server process does on every engine: votes over the wire, metrics on one port, an orderly end, and no orphans."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.inference_models import make_tiny_model
from tests.inference_serving import Process, tiny_config

from rdiverse.config import SamplingConfig, dump_config
from rdiverse.inference.client import ModelControlClient, RpcFailure, SolverClient


class ServerContract:
    """To be subclassed. The last test of a process ends it."""

    engine = "transformers"
    start_seconds = 120.0
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
        config.write_text(dump_config(tiny_config(make_tiny_model(folder / "model", head=32), engine=self.engine)))
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
            results = client.iter_solve([f"question {n}" for n in range(40)], 10, sampling=SamplingConfig(max_tokens=60))
            first = next(results)
            process.popen.send_signal(signal.SIGTERM)
            assert len([first, *results]) == 40
        assert process.popen.wait(30) == 0
        assert process.all_gone(5)
        with ModelControlClient(process.address) as client, pytest.raises(RpcFailure, match=r"UNAVAILABLE|DEADLINE"):
            client.get_model(timeout=1)

    def test_a_killed_server_leaves_no_process(self, tmp_path):
        process = self.start(tmp_path)
        process.kill()
        assert process.all_gone(10)


def value(text: str, name: str) -> float:
    """The value of a metric in a scrape."""
    return next(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(f"{name} "))


__all__ = ["ServerContract"]
