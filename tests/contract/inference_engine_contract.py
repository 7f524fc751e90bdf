"""What every engine does, whichever library computes: one suite, run by each engine's test module.

A subclass of EngineContract gives `make_engine`; the references are Hugging Face's own, computed without any batching.
"""

import asyncio
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.support.inference_models import make_tiny_model

from rdiverse.config import EngineConfig
from rdiverse.grpcio_kit.errors import WrongWeightsError
from rdiverse.inference.engines.engine import Completion, Engine, Finish, GenerationRequest, PromptTooLongError
from rdiverse.lm.sampling_params import SamplingParams
from rdiverse.lm.weights import CheckpointError, publish, weights_version
from rdiverse.selfplay.prompts import RenderedPrompt

PROMPTS = [RenderedPrompt("Be brief.", "What is " + "x" * n + "?") for n in (1, 30, 7, 7, 90)]
GREEDY = SamplingParams(temperature=0, max_tokens=12)


class Running:
    """An engine and the loop it lives in."""

    def __init__(self, engine: Engine) -> None:
        self.loop = asyncio.new_event_loop()
        self.engine = engine
        self.run(engine.start(), 900)

    def run(self, coroutine, seconds: float = 240):
        return self.loop.run_until_complete(asyncio.wait_for(coroutine, seconds))

    def generate(self, prompts=PROMPTS, n=1, params=GREEDY, **more) -> list[Completion]:
        async def collect() -> list[Completion]:
            return [found async for found in self.engine.generate(GenerationRequest(prompts, n, params, **more))]

        return sorted(self.run(collect()), key=lambda found: (found.prompt_index, found.sample_index))

    def texts(self, *args, **more) -> list[str]:
        return [found.text for found in self.generate(*args, **more)]

    def idle(self) -> bool:
        return self.engine.running_rows == 0 and self.engine.waiting_rows == 0

    def close(self) -> None:
        self.run(self.engine.close())
        self.loop.close()


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    # vLLM's attention for CPUs knows no smaller heads.
    return {name: make_tiny_model(root / name, seed, head=32) for seed, name in enumerate(("first", "second"))}


def broken(models: dict[str, Path], folder: Path, how: str) -> Path:
    """A checkpoint with one fault."""
    shutil.copytree(models["second"], folder)
    weights = folder / "model.safetensors"
    match how:
        case "missing shard":
            weights.unlink()
        case "truncated file":
            weights.write_bytes(weights.read_bytes()[:-1000])
        case "wrong shape":
            make_tiny_model(folder, hidden=96, head=32)
            shutil.copy(models["second"] / "config.json", folder / "config.json")
        case "wrong digest":
            shutil.rmtree(folder)
            publish(folder, lambda aside: shutil.copytree(models["second"], aside, dirs_exist_ok=True))
            data = bytearray(weights.read_bytes())
            data[-1] ^= 1
            weights.write_bytes(data)
        case "empty directory":
            shutil.rmtree(folder)
            folder.mkdir()
        case "another model":
            make_tiny_model(folder, hidden=96, head=32)
        case "missing tensor" | "not numbers":
            import safetensors.torch

            tensors = safetensors.torch.load_file(weights)
            if how == "missing tensor":
                del tensors["model.layers.0.mlp.up_proj.weight"]
            else:
                tensors["model.norm.weight"][:] = float("nan")
            safetensors.torch.save_file(tensors, weights, {"format": "pt"})
    return folder


def make_adapter(model: Path, folder: Path, seed: int) -> tuple[Path, Path]:
    """A LoRA adapter of a model and the model with it merged, both made by peft."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    config = LoraConfig(r=4, lora_alpha=12, target_modules=["q_proj", "v_proj", "down_proj"], init_lora_weights=False)
    adapted = get_peft_model(base, config)
    adapted.save_pretrained(folder / "adapter")
    adapted.merge_and_unload().save_pretrained(folder / "merged")
    for path in (*model.glob("token*"), *model.glob("*.jinja")):
        shutil.copy(path, folder / "merged")
    return folder / "adapter", folder / "merged"


BROKEN_ADAPTERS = (
    "no weights",
    "truncated file",
    "another model",
    "no such layer",
    "half a pair",
    "another kind",
    "not numbers",
)


def broken_adapter(model: Path, root: Path, how: str) -> Path:
    """An adapter with one fault."""
    import safetensors.torch

    folder, _ = make_adapter(make_tiny_model(root / "wide", hidden=96, head=32) if how == "another model" else model, root, 1)
    weights = folder / "adapter_model.safetensors"
    tensors = safetensors.torch.load_file(weights)
    name = min(tensors)
    match how:
        case "no weights":
            weights.unlink()
        case "truncated file":
            weights.write_bytes(weights.read_bytes()[:-1000])
        case "no such layer":
            tensors = {name.replace("layers.1.", "layers.7."): tensor for name, tensor in tensors.items()}
        case "half a pair":
            del tensors[name]
        case "another kind":
            config = folder / "adapter_config.json"
            config.write_text(config.read_text().replace('"use_dora": false', '"use_dora": true'))
        case "not numbers":
            tensors[name][:] = float("nan")
    if how in {"no such layer", "half a pair", "not numbers"}:
        safetensors.torch.save_file(tensors, weights, {"format": "pt"})
    return folder


class EngineContract:
    """To be subclassed."""

    exact_seeds = True
    """Whether a seed promises the same text."""

    def make_engine(self, model: Path, config: EngineConfig, *, embeds: bool = False) -> Engine:
        raise NotImplementedError

    def config(self, **more) -> EngineConfig:
        return EngineConfig.model_validate(
            {"engine": "transformers", "dtype": "float32", "max_model_len": 256, "max_batch_rows": 16} | more
        )

    @pytest.fixture(scope="class")
    def engine(self, models) -> Iterator[Running]:
        running = Running(self.make_engine(models["first"], self.config()))
        yield running
        running.close()

    def test_greedy_is_the_librarys_own_token_for_token(self, engine, models):
        expected = [reference(models["first"], prompt, 12) for prompt in PROMPTS]
        assert engine.texts() == [text for text, _ in expected]

    def test_logprobs_are_those_of_the_tokens_drawn(self, engine, models):
        found = engine.generate(logprobs=True)
        for completion, prompt in zip(found, PROMPTS, strict=True):
            _, expected = reference(models["first"], prompt, 12)
            assert len(completion.logprobs) == completion.completion_tokens
            assert completion.logprobs == pytest.approx(expected, abs=2e-3)

    def test_logprobs_are_under_the_distribution_drawn_from(self, engine):
        found = engine.generate(n=4, params=SamplingParams(top_k=1, max_tokens=8), logprobs=True)
        assert all(completion.logprobs == pytest.approx([0.0] * completion.completion_tokens) for completion in found)

    def test_every_sample_comes_once_and_samples_differ(self, engine):
        found = engine.generate(n=20, params=SamplingParams(max_tokens=10))
        assert [(c.prompt_index, c.sample_index) for c in found] == [(p, s) for p in range(5) for s in range(20)]
        assert len({c.text for c in found}) > 80

    def test_results_carry_counts_versions_and_reasons(self, engine, models):
        for completion in engine.generate(n=3, params=SamplingParams(max_tokens=6)):
            assert completion.weights == weights_version(models["first"]) == engine.engine.version
            assert completion.prompt_tokens > 20
            assert 1 <= completion.completion_tokens <= 6
            if completion.finish is Finish.LENGTH:
                assert completion.completion_tokens == 6

    def test_a_seed_gives_the_same_text_and_another_seed_another(self, engine):
        params = SamplingParams(max_tokens=16, top_k=40, top_p=0.95)
        first, again, other = (engine.texts(n=8, params=params, seed=seed) for seed in (5, 5, 6))
        assert sum(a == b for a, b in zip(first, other, strict=True)) < 8
        if self.exact_seeds:
            assert first == again

    def test_noise_belongs_to_the_sample_not_to_the_request(self, engine):
        if not self.exact_seeds:
            pytest.skip("this engine draws its noise by itself")
        params = SamplingParams(max_tokens=16)
        whole = engine.generate(PROMPTS[:1], n=12, params=params, seed=5)
        part = engine.generate(PROMPTS[:1], n=4, params=params, seed=5, first_sample=8)
        assert [c.sample_index for c in part] == [8, 9, 10, 11]
        # Another batch size moves logits by 1e-7, which changes a draw once in a long while.
        assert sum(a.text == b.text for a, b in zip(whole[8:], part, strict=True)) >= 3

    def test_without_a_seed_noise_is_fresh(self, engine):
        params = SamplingParams(max_tokens=16)
        first, second = (engine.texts(n=8, params=params) for _ in range(2))
        assert sum(a == b for a, b in zip(first, second, strict=True)) < 8

    def test_a_stop_string_ends_a_completion_and_is_no_part_of_it(self, engine):
        params = SamplingParams(max_tokens=40, stop=("</question>", "\\boxed{1}"))
        found = engine.generate(n=8, params=params)
        assert not any(stop in c.text for c in found for stop in params.stop)
        assert sum(c.finish is Finish.STOP for c in found) > 20

    def test_more_samples_than_rows_fit(self, engine):
        assert len(engine.generate(PROMPTS[:2], n=40, params=SamplingParams(max_tokens=4))) == 80

    def test_a_prompt_without_room_is_named_before_anything_is_drawn(self, engine):
        with pytest.raises(PromptTooLongError, match="leave no room in this model's 256") as caught:
            engine.generate([PROMPTS[0], RenderedPrompt("", "x" * 300)])
        assert caught.value.index == 1

    def test_where_the_request_allows_it_a_prompt_without_room_gets_samples_of_no_token(self, engine):
        too_long = RenderedPrompt("", "x" * 300)
        for prompts in ([PROMPTS[0], too_long, PROMPTS[1]], [too_long]):
            found = engine.generate(prompts, n=2, allow_too_long=True, first_prompt=5, params=SamplingParams(max_tokens=4))
            assert sorted((c.prompt_index, c.sample_index) for c in found) == [
                (5 + i, k) for i in range(len(prompts)) for k in (0, 1)
            ]
            for c in found:
                if prompts[c.prompt_index - 5] is too_long:
                    assert (c.text, c.finish, c.completion_tokens, c.weights) == ("", Finish.LENGTH, 0, engine.engine.version)
                    assert c.prompt_tokens >= engine.engine.max_model_len
                else:
                    assert c.completion_tokens > 0
        assert engine.engine.waiting_rows == 0

    def test_a_completion_ends_where_the_context_does(self, engine):
        [found] = engine.generate([RenderedPrompt("", "x" * 200)], params=SamplingParams(max_tokens=1000, temperature=2))
        assert found.prompt_tokens + found.completion_tokens <= 256

    def test_text_of_any_kind_is_only_text(self, engine):
        prompts = [RenderedPrompt("", text) for text in ("\0", "日本語 ∑", "<|im_end|>", "'; rm -rf / #", " ", "\\boxed{{{")]
        assert len(engine.generate(prompts)) == 6

    def test_wrong_expected_weights_are_refused(self, engine):
        with pytest.raises(WrongWeightsError):
            engine.generate(expected_weights="other")

    def test_closing_a_generator_leaves_the_engine_idle_within_a_second(self, engine):
        async def begin_and_leave() -> None:
            request = GenerationRequest(PROMPTS, 200, SamplingParams(max_tokens=200))
            generator = engine.engine.generate(request)
            await anext(generator)
            await generator.aclose()
            left = time.monotonic()
            while not engine.idle():
                await asyncio.sleep(0.01)
                assert time.monotonic() - left < 1

        engine.run(begin_and_leave())
        assert len(engine.texts()) == 5

    def test_new_weights_write_new_text_and_old_ones_the_old(self, engine, models):
        before = engine.texts()
        engine.run(engine.engine.load_weights(models["second"]))
        assert engine.engine.version == weights_version(models["second"])
        assert engine.texts() == [reference(models["second"], prompt, 12)[0] for prompt in PROMPTS] != before
        engine.run(engine.engine.load_weights(models["first"]))
        assert engine.texts() == before

    @pytest.mark.parametrize(
        "how",
        [
            "missing shard", "wrong shape", "truncated file", "wrong digest", "empty directory", "another model",
            "missing tensor", "not numbers",
        ],
    )  # fmt: skip
    def test_a_broken_checkpoint_is_refused_and_the_old_weights_serve_on(self, engine, models, tmp_path, how):
        before = engine.texts()
        with pytest.raises(CheckpointError):
            engine.run(engine.engine.load_weights(broken(models, tmp_path / "broken", how)))
        assert engine.engine.version == weights_version(models["first"])
        assert engine.engine.ready
        assert engine.engine.healthy
        assert engine.texts() == before

    def test_a_repeated_prompt_is_answered_by_the_weights_of_now(self, engine, models):
        """What an engine remembers of a prompt must go with the weights that read it."""
        prompt = PROMPTS[-1:]  # longer than the 128 tokens that vLLM remembers together on CPUs
        for name in ("first", "first", "second", "second", "first"):
            engine.run(engine.engine.load_weights(models[name]))
            assert engine.texts(prompt) == [reference(models[name], prompt[0], 12)[0]]

    def test_an_adapter_writes_what_the_merged_model_writes(self, engine, models, tmp_path):
        before = engine.texts()
        for seed in (1, 2):
            adapter, merged = make_adapter(models["first"], tmp_path / str(seed), seed)
            engine.run(engine.engine.load_weights(adapter))
            assert engine.texts() == [reference(merged, prompt, 12)[0] for prompt in PROMPTS] != before
            with pytest.raises(CheckpointError):
                engine.run(engine.engine.load_weights(broken(models, tmp_path / f"broken {seed}", "not numbers")))
            assert engine.texts() == [reference(merged, prompt, 12)[0] for prompt in PROMPTS]
        engine.run(engine.engine.load_weights(models["first"]))
        assert engine.texts() == before

    def test_a_published_adapter_goes_by_its_version(self, engine, models, tmp_path):
        adapter, _ = make_adapter(models["first"], tmp_path / "made", 1)
        version = publish(tmp_path / "published", lambda aside: shutil.copytree(adapter, aside, dirs_exist_ok=True) and None)
        with pytest.raises(CheckpointError, match="not other"):
            engine.run(engine.engine.load_weights(tmp_path / "published", "other"))
        engine.run(engine.engine.load_weights(tmp_path / "published", version))
        assert {found.weights for found in engine.generate()} == {version}
        engine.run(engine.engine.load_weights(models["first"]))

    @pytest.mark.parametrize("how", BROKEN_ADAPTERS)
    def test_a_broken_adapter_is_refused_and_the_old_weights_serve_on(self, engine, models, tmp_path, how):
        before = engine.texts()
        with pytest.raises(CheckpointError):
            engine.run(engine.engine.load_weights(broken_adapter(models["first"], tmp_path, how)))
        assert engine.engine.version == weights_version(models["first"])
        assert engine.engine.ready
        assert engine.texts() == before

    def test_another_version_than_asked_for_is_refused(self, engine, models):
        with pytest.raises(CheckpointError, match="not other"):
            engine.run(engine.engine.load_weights(models["second"], "other"))
        assert engine.engine.version == weights_version(models["first"])

    def test_vectors_are_those_of_each_texts_last_token(self, models, tmp_path):
        texts = ["def f(): return 1", "x", "def g(a): return a * 2 + 1"]
        running = Running(self.make_engine(models["first"], self.config(), embeds=True))
        try:
            vectors, version = running.run(running.engine.embed(texts))
            assert running.engine.embedding_dimension == vectors.shape[1] == 64
            assert version == weights_version(models["first"])
            assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-4)
            assert vectors == pytest.approx(np.stack([embedding_reference(models["first"], text) for text in texts]), abs=2e-3)
            running.run(running.engine.load_weights(models["second"]))
            other, _ = running.run(running.engine.embed(texts))
            assert np.abs(other - vectors).max() > 0.1
            adapter, merged = make_adapter(models["first"], tmp_path, 1)
            running.run(running.engine.load_weights(adapter))
            adapted, _ = running.run(running.engine.embed(texts))
            assert adapted == pytest.approx(np.stack([embedding_reference(merged, text) for text in texts]), abs=2e-3)
            assert np.abs(adapted - vectors).max() > 0.01
            with pytest.raises(WrongWeightsError):
                running.run(running.engine.embed(texts, version))
            with pytest.raises(PromptTooLongError):
                running.run(running.engine.embed(["x" * 1000]))
        finally:
            running.close()


def reference(folder: Path, prompt: RenderedPrompt, tokens: int) -> tuple[str, list[float]]:
    """The library's own greedy text of one prompt and the log-probabilities of its tokens."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    messages = [{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}]
    ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=False)
    with torch.inference_mode():
        output = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=tokens,
            return_dict_in_generate=True,
            output_logits=True,
        )
    drawn = output.sequences[0, ids.shape[1] :]
    scores = [torch.log_softmax(step[0].double(), -1)[token].item() for step, token in zip(output.logits, drawn, strict=True)]
    return tokenizer.decode(drawn, skip_special_tokens=True), scores


def embedding_reference(folder: Path, text: str) -> np.ndarray:
    import torch
    from transformers import AutoModel, AutoTokenizer

    ids = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        last = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()(ids).last_hidden_state[0, -1]
    return torch.nn.functional.normalize(last, dim=-1).numpy()


__all__ = ["EngineContract", "models"]
