"""Tokens are drawn from exactly the distribution that was asked for, with noise that belongs to the sample alone."""

import numpy as np
import pytest
import torch

from rdiverse.lm.noise import row_keys, uniforms
from rdiverse.lm.sampling import draw
from rdiverse.lm.sampling_params import SamplingParams

LOGITS = torch.log(torch.tensor([0.4, 0.3, 0.2, 0.06, 0.04]))


def frequencies(params: SamplingParams, count: int = 40_000) -> np.ndarray:
    noise = torch.from_numpy(uniforms(row_keys(7, np.zeros(count, np.int64), np.arange(count)), 0))
    drawn = draw(LOGITS.expand(count, -1), params, noise, logprobs=True)
    counts = np.bincount(drawn.tokens.numpy(), minlength=5) / count
    for token, logprob in zip(drawn.tokens[:200].tolist(), drawn.logprobs[:200].tolist(), strict=True):
        assert np.exp(logprob) == pytest.approx(counts[token], abs=0.012)
    return counts


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        (SamplingParams(), [0.4, 0.3, 0.2, 0.06, 0.04]),
        (SamplingParams(temperature=0.5), np.array([16, 9, 4, 0.36, 0.16]) / 29.52),
        (SamplingParams(top_k=2), [4 / 7, 3 / 7, 0, 0, 0]),
        (SamplingParams(top_p=0.65), [4 / 7, 3 / 7, 0, 0, 0]),
        (SamplingParams(top_p=0.75), [4 / 9, 3 / 9, 2 / 9, 0, 0]),
        (SamplingParams(top_p=0.01), [1, 0, 0, 0, 0]),
        (SamplingParams(top_k=3, top_p=0.7), [4 / 7, 3 / 7, 0, 0, 0]),
        (SamplingParams(top_k=1_000_000), [0.4, 0.3, 0.2, 0.06, 0.04]),
    ],
)
def test_tokens_follow_the_truncated_distribution(params, expected):
    found = frequencies(params)
    assert found == pytest.approx(np.array(expected), abs=0.01)
    assert (found[np.array(expected) == 0] == 0).all()


def test_temperature_0_takes_the_largest_and_tells_the_models_own_probability():
    drawn = draw(LOGITS.unsqueeze(0), SamplingParams(temperature=0), torch.tensor([0.99]), logprobs=True)
    assert drawn.tokens.tolist() == [0]
    assert drawn.logprobs.tolist() == pytest.approx([np.log(0.4)])


def test_noise_at_the_ends_stays_within_what_is_kept():
    noise = torch.tensor([0.0, 1.0 - 2.0**-53])
    drawn = draw(LOGITS.expand(2, -1), SamplingParams(top_k=2), noise, logprobs=False)
    assert drawn.tokens.tolist() == [0, 1]


def test_noise_is_uniform_and_differs_by_seed_prompt_sample_and_step():
    prompts, samples = np.meshgrid(np.arange(100), np.arange(100))
    keys = row_keys(3, prompts.ravel(), samples.ravel())
    noise = np.stack([uniforms(keys, step) for step in range(5)])
    assert len(np.unique(noise)) == noise.size
    assert noise.mean() == pytest.approx(0.5, abs=0.01)
    assert np.histogram(noise, bins=10, range=(0, 1))[0] == pytest.approx(noise.size / 10, rel=0.05)
    assert abs(np.corrcoef(noise[0], noise[1])[0, 1]) < 0.05
    assert not np.isin(uniforms(row_keys(4, prompts.ravel(), samples.ravel()), 0), noise[0]).any()


def test_noise_of_a_sample_knows_nothing_of_its_neighbours():
    many = row_keys(2**64 - 1, np.array([0, 0, 9]), np.array([0, 2**62, 5]))
    one = row_keys(2**64 - 1, np.array([9]), np.array([5]))
    assert many[2] == one[0]
