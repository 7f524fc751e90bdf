"""What one update computes, against the formulas in float64.

The reference knows the published formulas only: it takes the tokens that the trainer drew and the rewards that were paid,
reads the model's weights in float64, and computes log-probabilities, advantages, loss and gradients by itself.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.support.training_models import write_model, write_phase
from transformers import Qwen3ForCausalLM, TrainerCallback

from rdiverse.config import GRPOConfig, load_config
from rdiverse.training.advantages import group_advantages
from rdiverse.training.chunks import in_trimmed_chunks
from rdiverse.training.settings import grpo_settings
from rdiverse.training.train import build

TOLERANCE = 1e-5


class FixedRewards:
    """Pays by content alone; the first group of every step gets equal rewards."""

    def __call__(self, step: int, completions: Sequence[str], answers: Sequence[str]) -> list[dict[str, float]]:
        del step, answers
        size = 4
        return [
            {"reward": 0.1 if row < size else (len(text) % 7) / 7 + row % size / 3, "malformed": 0.0}
            for row, text in enumerate(completions)
        ]


class Captured(TrainerCallback):
    """Every update's gradients and learning rate, and the batches and weights that they came from."""

    def __init__(self) -> None:
        self.updates: list[dict[str, Any]] = []
        self.inputs: list[dict[str, Any]] = []

    def on_pre_optimizer_step(self, *_args: Any, model: Any = None, optimizer: Any = None, **_kwargs: Any) -> None:
        self.updates.append(
            {
                "inputs": self.inputs,
                "gradients": {name: value.grad.detach().double().clone() for name, value in model.named_parameters()},
                "weights": {name: value.detach().clone() for name, value in model.named_parameters()},
                "learning_rate": optimizer.param_groups[0]["lr"],
            }
        )
        self.inputs = []


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Captured, Any, GRPOConfig, Path]:
    """Two steps of four updates, two forward passes each, with updates so large that ratios leave the clip range."""
    folder = tmp_path_factory.mktemp("numbers")
    model = write_model(folder / "model")
    phase = write_phase(
        folder / "phase", model, steps=2, prompts_per_step=8, updates_per_step=4, rows_per_forward=4, learning_rate=3e-2,
        max_grad_norm=1e9, checkpoint_every=100,
    )  # fmt: skip
    config = load_config(phase.config_path)
    trainer, _recorder = build(phase, config, FixedRewards())
    captured = Captured()
    losses = []
    original = trainer.compute_loss

    def compute_loss(model: Any, inputs: dict[str, Any], **kwargs: Any) -> torch.Tensor:
        loss = original(model, inputs, **kwargs)
        captured.inputs.append({name: value.clone() for name, value in inputs.items()} | {"loss": loss.detach().double()})
        losses.append(loss)
        return loss

    trainer.compute_loss = compute_loss
    trainer.add_callback(captured)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rdiverse.training.chunks.ROWS", 3)  # so that a forward pass of four rows is two chunks
        trainer.train()
    return captured, trainer, grpo_settings(phase, config), model


def log_probabilities(model: Qwen3ForCausalLM, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """(rows, completion tokens) float64; rollouts were drawn at temperature 1."""
    ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
    mask = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)
    logits = model(input_ids=ids, attention_mask=mask).logits[:, :-1]
    logits = logits[:, -batch["completion_ids"].shape[1] :]
    return logits.log_softmax(dim=-1).gather(2, batch["completion_ids"].unsqueeze(2)).squeeze(2)


def reference_loss(logp: torch.Tensor, old: torch.Tensor, ref: torch.Tensor, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Mean over rows of the mean over tokens of -min(r A, clip(r) A) + 0.01 KL, with clip 0.2 / 0.3, dual clip 3."""
    advantage = batch["advantages"].double().unsqueeze(1)
    ratio = (logp - old).exp()
    clipped = torch.minimum(ratio * advantage, ratio.clamp(0.8, 1.3) * advantage)
    clipped = torch.where(advantage < 0, torch.maximum(clipped, 3.0 * advantage), clipped)
    kl = (ref - logp).exp() - (ref - logp) - 1
    mask = batch["completion_mask"].double()
    return (((-clipped + 0.01 * kl) * mask).sum(dim=1) / mask.sum(dim=1)).mean()


def test_loss_and_gradients_equal_the_formula_in_float64(trained: tuple[Captured, Any, GRPOConfig, Path]) -> None:
    captured, _trainer, _training, path = trained
    model = Qwen3ForCausalLM.from_pretrained(path, dtype=torch.float64)
    reference = Qwen3ForCausalLM.from_pretrained(path, dtype=torch.float64)
    clipped = 0
    assert len(captured.updates) == 8
    for number, update in enumerate(captured.updates):
        if number % 4 == 0:
            old_weights = update["weights"]  # a step's rollouts were drawn with the weights before its first update
        losses = []
        model.zero_grad()
        for batch in update["inputs"]:
            model.load_state_dict({name: value.double() for name, value in old_weights.items()}, strict=False)
            with torch.no_grad():
                old, ref = log_probabilities(model, batch), log_probabilities(reference, batch)
            model.load_state_dict({name: value.double() for name, value in update["weights"].items()}, strict=False)
            logp = log_probabilities(model, batch)
            mask = batch["completion_mask"].bool()
            assert (batch["old_per_token_logps"] - old)[mask].abs().max() < TOLERANCE
            assert (batch["ref_per_token_logps"] - ref)[mask].abs().max() < TOLERANCE
            clipped += int((((logp - old).exp() - 1).abs() > 0.3)[mask].sum())
            loss = reference_loss(logp, old, ref, batch) / len(update["inputs"])
            loss.backward()
            losses.append(loss.detach())
            assert abs(batch["loss"] - loss) < TOLERANCE
        assert len(update["inputs"]) == 2  # 8 rollouts an update, 4 a forward pass
        for name, parameter in model.named_parameters():
            error = (update["gradients"][name] - parameter.grad).abs().max()
            assert error < TOLERANCE * max(1.0, parameter.grad.abs().max()), name
    assert clipped > 20, "the test must reach the clipped region"


def test_advantages_are_normalised_by_the_groups_own_mean_and_deviation() -> None:
    rewards = torch.tensor([0.0, 1.0, 1.0, 0.0, 0.2, 0.2, 0.9, -1.6])
    found = group_advantages(rewards, 4, 1e-6)
    for group, got in zip(rewards.double().split(4), found.split(4), strict=True):
        mean = sum(group.tolist()) / 4
        deviation = (sum((value - mean) ** 2 for value in group.tolist()) / 3) ** 0.5
        assert got.tolist() == pytest.approx([(value - mean) / (deviation + 1e-6) for value in group.tolist()], abs=1e-12)


@pytest.mark.parametrize("value", [0.0, 0.1, 1 / 3, -1.725, 1e6])
@pytest.mark.parametrize("size", [2, 3, 4, 5, 7])
def test_groups_of_equal_reward_give_exactly_zero_advantage(value: float, size: int) -> None:
    assert group_advantages(torch.full((3 * size,), value), size, 1e-6).tolist() == [0.0] * 3 * size


def test_the_trainer_uses_these_advantages(trained: tuple[Captured, Any, GRPOConfig, Path]) -> None:
    captured = trained[0]
    advantages = torch.cat([batch["advantages"] for update in captured.updates[:4] for batch in update["inputs"]])
    assert advantages.shape == (32,)
    assert int((advantages == 0).sum()) == 4  # the one group of equal rewards
    assert advantages.abs().max() < 3**0.5  # the bound of four values, reached by eps -> 0 only
    assert advantages.abs().sum() > 10


def test_the_learning_rate_is_constant(trained: tuple[Captured, Any, GRPOConfig, Path]) -> None:
    assert {update["learning_rate"] for update in trained[0].updates} == {3e-2}


@pytest.mark.parametrize("rows", [1, 2, 3, 100])
def test_chunks_cut_to_their_own_length_give_the_same_scores_in_the_same_order(rows: int) -> None:
    generator = torch.Generator().manual_seed(0)
    prompt, completion = 6, 5
    lengths = torch.tensor([[6, 1], [2, 5], [3, 3], [1, 1], [4, 2]])
    mask = torch.zeros(5, prompt + completion, dtype=torch.long)
    for row, (before, after) in enumerate(lengths.tolist()):
        mask[row, prompt - before : prompt + after] = 1
    ids = torch.randint(1, 50, mask.shape, generator=generator) * mask
    seen = []

    def score(some: torch.Tensor, some_mask: torch.Tensor, width: int) -> tuple[torch.Tensor, torch.Tensor]:
        seen.append(some.numel())
        before = (some * some_mask).sum(dim=1, keepdim=True)  # depends on the whole row
        return some[:, -width:] + before, some[:, -width:] * 2

    first, second = in_trimmed_chunks(score, ids, mask, completion, rows)
    whole_first, whole_second = score(ids, mask, completion)
    kept = mask[:, prompt:].bool()
    assert second is not None
    assert torch.equal(first[kept], whole_first[kept])
    assert torch.equal(second[kept], whole_second[kept])
    assert sum(seen[:-1]) <= ids.numel()
    assert rows > 2 or sum(seen[:-1]) < 0.8 * ids.numel()
