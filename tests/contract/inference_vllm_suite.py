"""The vLLM engine under the engines' contract. Not collected by itself: only an environment with vLLM can run it."""

from pathlib import Path

from tests.contract.inference_engine_contract import EngineContract, models  # noqa: F401  a fixture

from rdiverse.config import EngineConfig
from rdiverse.inference.engine import Engine


class TestVllmEngine(EngineContract):
    exact_seeds = False

    def make_engine(self, model: Path, config: EngineConfig, *, embeds: bool = False) -> Engine:
        from rdiverse.inference.vllm_engine import VllmEngine

        return VllmEngine(str(model), config, embeds=embeds)
