"""The vLLM engine under the engines' contract. Not collected by itself: only an environment with vLLM can run it."""

import shutil
import time
from pathlib import Path

import pytest
from tests.contract.inference_engine_contract import EngineContract, Running, broken, models  # noqa: F401  a fixture
from tests.contract.inference_server_contract import ServerContract
from tests.support.inference_models import make_tiny_model

from rdiverse.config import EngineConfig
from rdiverse.grpcio_kit.errors import DependencyUnavailableError
from rdiverse.inference.client import RpcFailure, SolverClient
from rdiverse.inference.engines.engine import Engine
from rdiverse.lm.weights import CheckpointError, weights_version


class TestVllmEngine(EngineContract):
    exact_seeds = False

    def make_engine(self, model: Path, config: EngineConfig, *, embeds: bool = False) -> Engine:
        from rdiverse.inference.engines.vllm_engine import VllmEngine

        return VllmEngine(str(model), config, embeds=embeds)

    def test_where_the_old_weights_are_gone_a_failed_load_leaves_nothing_to_serve(self, engine: Running, models, tmp_path):  # noqa: F811
        before, present = engine.texts(), shutil.copytree(models["first"], tmp_path / "present")
        engine.run(engine.engine.load_weights(models["second"]))
        engine.run(engine.engine.load_weights(present))
        make_tiny_model(present, 7, head=32)
        with pytest.raises(CheckpointError, match=r"nor can the old weights: .* no longer holds version"):
            engine.run(engine.engine.load_weights(broken(models, tmp_path / "broken", "not numbers")))
        assert not engine.engine.ready
        assert engine.engine.healthy
        with pytest.raises(DependencyUnavailableError):
            engine.texts()
        engine.run(engine.engine.load_weights(models["first"]))
        assert engine.engine.ready
        assert engine.engine.version == weights_version(models["first"])
        assert engine.texts() == before


class TestVllmServer(ServerContract):
    engine = "vllm"
    start_seconds = 300.0
    exact_seeds = False
    own_metrics = ("vllm:num_requests_running", "vllm:kv_cache_usage_perc", "vllm:generation_tokens_total", "vllm:e2e_request")

    def test_without_its_engine_process_a_server_is_neither_ready_nor_alive(self, tmp_path):
        process = self.start(tmp_path)
        try:
            assert process.healthy("liveness")
            for child in process.children:
                if "EngineCore" in child.name() or "EngineCore" in " ".join(child.cmdline()):
                    child.kill()
            deadline = time.monotonic() + 20
            while process.healthy("") or process.healthy("liveness"):
                assert time.monotonic() < deadline
                time.sleep(0.2)
            with SolverClient(process.address) as client, pytest.raises(RpcFailure, match=r"UNAVAILABLE|INTERNAL"):
                client.solve(["x"], 1, timeout=20)
        finally:
            process.kill()
        assert process.all_gone(10)
