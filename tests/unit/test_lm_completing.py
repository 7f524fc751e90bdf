"""Completions: greedy is the library's own, noise belongs to the row, and prompts share their reading without a trace."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.support.training_models import write_model
from transformers import Qwen3ForCausalLM

from rdiverse.lm.batching import whole_prompts
from rdiverse.lm.completing import complete
from rdiverse.lm.decoding import Row, decode
from rdiverse.lm.sampling_params import SamplingParams

END = [1]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Qwen3ForCausalLM:
    path: Path = write_model(tmp_path_factory.mktemp("completing") / "model")
    return Qwen3ForCausalLM.from_pretrained(path).eval()


def drawn(model: Any, prompts: list[list[int]], seed: int = 7, max_rows: int = 8, max_tokens: int = 12, **more: int) -> Any:
    return complete(model, prompts, SamplingParams(max_tokens=max_tokens), seed=seed, eos=END, max_rows=max_rows, **more)


def test_temperature_zero_is_the_models_own_greedy_decoding(model: Qwen3ForCausalLM) -> None:
    prompts = [[3, 12, 14], [4], [3, 13, 30, 5, 7]]
    found = complete(model, prompts, SamplingParams(temperature=0, max_tokens=10), seed=0, eos=END, max_rows=8)
    for prompt, completion in zip(prompts, found, strict=True):
        full = model.generate(torch.tensor([prompt]), max_new_tokens=10, do_sample=False, pad_token_id=0)
        assert completion == full[0, len(prompt) :].tolist()


def test_a_completion_ends_with_the_end_token_or_at_the_limit(model: Qwen3ForCausalLM) -> None:
    found = drawn(model, [[4]] * 64, seed=1, max_rows=64, max_tokens=40)
    assert any(completion[-1] == 1 for completion in found)
    for completion in found:
        assert 1 not in completion[:-1]
        assert completion[-1] == 1 or len(completion) == 40


@pytest.mark.parametrize("samples", [1, 2, 4])
def test_a_rows_noise_is_its_own_however_rows_are_spread(model: Qwen3ForCausalLM, samples: int) -> None:
    prompts = [prompt for prompt in ([4], [3, 12], [4], [3, 12, 13], [5, 6], [4], [3], [4]) for _ in range(samples)]
    together = drawn(model, prompts, samples=samples)
    assert together == drawn(model, prompts, samples=samples)
    half = len(prompts) // 2 - 1  # within a group of two or four
    halves = [
        drawn(model, rows, samples=samples, first_row=first) for first, rows in ((0, prompts[:half]), (half, prompts[half:]))
    ]
    # Padding moves logits by rounding; on this model no draw is that close.
    assert together == [*halves[0], *halves[1]] == drawn(model, prompts, samples=samples, max_rows=3)
    assert together != drawn(model, prompts, seed=8, samples=samples)
    same_prompt = [tuple(tokens) for tokens, prompt in zip(together, prompts, strict=True) if prompt == [4]]
    assert len(set(same_prompt)) > 1, "rows of one prompt draw different noise"


def test_a_prompt_that_many_rows_have_is_read_once(model: Qwen3ForCausalLM, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[tuple[int, ...]] = []
    original = model.forward

    def forward(input_ids: torch.Tensor, **kwargs: Any) -> Any:
        read.append(tuple(input_ids.shape))
        return original(input_ids=input_ids, **kwargs)

    monkeypatch.setattr(model, "forward", forward)
    drawn(model, [[4, 5, 6]] * 3 + [[3, 12]] * 2 + [[4, 5, 6]])
    assert read[:2] == [(2, 3), (6, 1)]


def test_what_a_rollout_leaves_behind_can_be_trained_through(model: Qwen3ForCausalLM) -> None:
    kept: list[torch.Tensor] = []
    hook = model.model.layers[0].register_forward_hook(lambda _module, _inputs, output: kept.append(output))
    drawn(model, [[4], [3, 12]], max_tokens=2)
    hook.remove()
    assert not kept[0].requires_grad
    (kept[0] * torch.ones(1, requires_grad=True)).sum().backward()


def test_chunks_hold_whole_prompts_of_like_length() -> None:
    assert whole_prompts([5, 1, 3, 1, 9], samples=4, max_rows=8) == [[1, 3], [2, 0], [4]]
    assert whole_prompts([5, 1], samples=9, max_rows=8) == [[1], [0]], "a prompt with more samples than rows stays whole"
    assert whole_prompts([], samples=1, max_rows=8) == []


def test_a_cancelled_row_leaves_and_the_others_stay(model: Qwen3ForCausalLM) -> None:
    params = SamplingParams(max_tokens=9)
    asked = iter([False, False] + [True] * 9)
    rows = [Row([4], params, 3, 0, i, limit=9) for i in range(3)]
    rows[1].cancelled = lambda: next(asked)
    finished: list[Row] = []
    decode(model, rows, [], 8, emit=finished.extend)
    assert [row.sample_index for row in finished] == [0, 2]
    assert all(len(row.tokens) == 9 for row in finished)
