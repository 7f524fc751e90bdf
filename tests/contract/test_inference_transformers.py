"""The transformers engine keeps the engines' contract, and its own promises about batches."""

import asyncio
from pathlib import Path

import pytest
from tests.contract.inference_engine_contract import PROMPTS, EngineContract, Running, models  # noqa: F401  a fixture
from tests.contract.inference_server_contract import ServerContract
from tests.support.inference_models import make_tiny_model

from rdiverse.config import EngineConfig
from rdiverse.grpcio_kit.errors import OverloadedError
from rdiverse.inference.engines.engine import Engine, GenerationRequest
from rdiverse.lm.sampling_params import SamplingParams
from rdiverse.selfplay.prompts import RenderedPrompt


class TestTransformersEngine(EngineContract):
    def make_engine(self, model: Path, config: EngineConfig, *, embeds: bool = False) -> Engine:
        from rdiverse.inference.engines.transformers_engine import TransformersEngine

        return TransformersEngine(str(model), config, embeds=embeds)

    def test_a_seeded_request_gives_the_same_text_in_any_company(self, engine):
        params = SamplingParams(max_tokens=16)
        alone = engine.texts(n=8, params=params, seed=3)

        async def one(seed: int | None) -> list[str]:
            request = GenerationRequest(PROMPTS, 8, params, seed=seed)
            found = [c async for c in engine.engine.generate(request)]
            return [c.text for c in sorted(found, key=lambda c: (c.prompt_index, c.sample_index))]

        async def crowd() -> list[list[str]]:
            return await asyncio.gather(*(one(seed) for seed in (None, 3, None, 3, 8, None)))

        found = engine.run(crowd())
        assert found[1] == found[3] == alone

    def test_requests_of_many_callers_share_batches(self, engine):
        async def one(i: int) -> int:
            request = GenerationRequest([RenderedPrompt("", f"caller {i}")], 1, SamplingParams(max_tokens=2 + i % 5))
            return len([c async for c in engine.engine.generate(request)])

        async def all_callers() -> list[int]:
            return await asyncio.gather(*(one(i) for i in range(64)))

        assert engine.run(all_callers()) == [1] * 64

    def test_a_reader_that_does_not_read_holds_up_nobody(self, engine):
        async def main() -> int:
            lazy = engine.engine.generate(GenerationRequest(PROMPTS, 400, SamplingParams(max_tokens=2)))
            await anext(lazy)
            await asyncio.sleep(0.3)
            request = GenerationRequest(PROMPTS, 4, SamplingParams(max_tokens=2))
            quick = [c async for c in engine.engine.generate(request)]
            assert engine.engine.waiting_rows > 0, "the lazy reader's rows wait until it reads"
            rest = [c async for c in lazy]
            assert len(rest) == 5 * 400 - 1
            return len(quick)

        assert engine.run(main()) == 20

    def test_beyond_the_queue_a_request_is_turned_away(self, models):  # noqa: F811
        running = Running(self.make_engine(models["first"], self.config(max_queue_rows=40)))

        async def main() -> None:
            big = running.engine.generate(GenerationRequest(PROMPTS, 200, SamplingParams(max_tokens=50)))
            await anext(big)
            with pytest.raises(OverloadedError, match="sequences wait already"):
                await anext(running.engine.generate(GenerationRequest(PROMPTS, 1, SamplingParams())))
            await big.aclose()
            assert [c async for c in running.engine.generate(GenerationRequest(PROMPTS, 1, SamplingParams(max_tokens=2)))]

        try:
            running.run(main())
        finally:
            running.close()

    def test_a_model_with_sliding_windows(self, tmp_path):
        folder = make_tiny_model(
            tmp_path / "sliding", layers=2, use_sliding_window=True, sliding_window=8, max_window_layers=1,
            layer_types=["full_attention", "sliding_attention"],
        )  # fmt: skip
        running = Running(self.make_engine(folder, self.config()))
        try:
            from tests.contract.inference_engine_contract import reference

            assert running.texts() == [reference(folder, prompt, 12)[0] for prompt in PROMPTS]
        finally:
            running.close()

    def test_a_tokenizer_without_a_chat_template(self, tmp_path):
        running = Running(self.make_engine(make_tiny_model(tmp_path / "plain", chat=False), self.config()))
        try:
            prompts = [RenderedPrompt("system", "user"), RenderedPrompt("", "user")]
            assert [c.prompt_tokens for c in running.generate(prompts)] == [len("system\nuser"), len("user")]
        finally:
            running.close()


class TestTransformersServer(ServerContract):
    """The server's part of the contract."""
