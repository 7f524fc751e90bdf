"""Rollouts: the distribution is the one asked for, the noise belongs to the row, prompts are shared without a trace."""

from pathlib import Path

import pytest
import torch
from tests.support.training_models import write_model
from transformers import Qwen3ForCausalLM

from rdiverse.config import SamplingConfig
from rdiverse.training.rollout import Noise, draw_tokens, sample

END = [1]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Qwen3ForCausalLM:
    path: Path = write_model(tmp_path_factory.mktemp("rollout") / "model")
    return Qwen3ForCausalLM.from_pretrained(path).eval()


def drawn(logits: list[float], count: int, **sampling: float) -> list[float]:
    """Share of each token among `count` draws on a grid of noise."""
    grid = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    tokens = draw_tokens(torch.tensor([logits]).expand(count, -1), grid, SamplingConfig(**sampling))
    return (torch.bincount(tokens, minlength=len(logits)) / count).tolist()


def test_draws_follow_the_softmax_at_a_temperature() -> None:
    logits = [0.0, 1.0, -1.0, 0.5]
    for temperature in (0.5, 1.0, 2.0):
        expected = torch.softmax(torch.tensor(logits) / temperature, dim=0).tolist()
        assert drawn(logits, 10_000, temperature=temperature) == pytest.approx(expected, abs=2e-4)


def test_top_k_keeps_the_most_likely() -> None:
    shares = drawn([0.0, 1.0, -1.0, 0.5], 10_000, top_k=2)
    total = torch.tensor([1.0, 0.5]).exp()
    assert shares == pytest.approx([0, (total[0] / total.sum()).item(), 0, (total[1] / total.sum()).item()], abs=2e-4)


def test_top_p_keeps_the_smallest_set_that_reaches_the_mass_and_always_the_first() -> None:
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log().tolist()
    assert drawn(logits, 10_000, top_p=0.8) == pytest.approx([0.625, 0.375, 0, 0], abs=2e-4)
    assert drawn(logits, 10_000, top_p=0.81) == pytest.approx([0.5 / 0.95, 0.3 / 0.95, 0.15 / 0.95, 0], abs=2e-4)
    assert drawn(logits, 100, top_p=0.01) == [1, 0, 0, 0]


def test_no_draw_leaves_the_kept_tokens_even_at_the_ends_of_the_noise() -> None:
    logits = torch.tensor([[0.0, 5.0, -30.0, -40.0]]).expand(2, -1)
    ends = torch.tensor([0.0, 1 - 2**-53], dtype=torch.float64)
    assert set(draw_tokens(logits, ends, SamplingConfig(top_p=0.99)).tolist()) <= {0, 1}


def test_temperature_zero_is_the_models_own_greedy_decoding(model: Qwen3ForCausalLM) -> None:
    prompts = [[3, 12, 14], [4], [3, 13, 30, 5, 7]]
    found = sample(model, prompts, SamplingConfig(temperature=0, max_tokens=10), Noise(0), END, 8)
    for prompt, completion in zip(prompts, found, strict=True):
        full = model.generate(torch.tensor([prompt]), max_new_tokens=10, do_sample=False, pad_token_id=0)
        assert completion == full[0, len(prompt) :].tolist()


def test_a_completion_ends_with_the_end_token_or_at_the_limit(model: Qwen3ForCausalLM) -> None:
    found = sample(model, [[4]] * 64, SamplingConfig(max_tokens=40), Noise(1), END, 64)
    assert any(completion[-1] == 1 for completion in found)
    for completion in found:
        assert 1 not in completion[:-1]
        assert completion[-1] == 1 or len(completion) == 40


def test_a_rows_noise_is_its_own_however_rows_are_spread(model: Qwen3ForCausalLM) -> None:
    sampling = SamplingConfig(max_tokens=12)
    prompts = [[4], [3, 12], [4], [3, 12, 13], [4], [4], [3, 12], [4]]
    together = sample(model, prompts, sampling, Noise(7), END, 8)
    assert together == sample(model, prompts, sampling, Noise(7), END, 8)
    halves = [sample(model, prompts[begin : begin + 4], sampling, Noise(7, begin), END, 8) for begin in (0, 4)]
    small = sample(model, prompts, sampling, Noise(7), END, 3)
    # Padding moves logits by rounding; on this model no draw is that close.
    assert together == [*halves[0], *halves[1]] == small
    assert together != sample(model, prompts, sampling, Noise(8), END, 8)
    assert len({tuple(together[row]) for row in (0, 2, 4, 5, 7)}) > 1, "rows of one prompt draw different noise"
