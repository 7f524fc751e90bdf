"""Training adapters only: what is trained, saved, resumed, and published."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests.support.training_models import metric_rows, write_model, write_phase
from transformers import Qwen3Config, Qwen3ForCausalLM

from rdiverse.config import GRPOConfig, LoRAConfig, load_config
from rdiverse.lm.weights import validate, weights_version
from rdiverse.training import checkpoints
from rdiverse.training.errors import TrainingError
from rdiverse.training.launch.phase import Phase
from rdiverse.training.launch.result import finished
from rdiverse.training.settings import grpo_settings, trl_arguments
from rdiverse.training.train import build, fit

LORA = {"rank": 2, "alpha": 4.0, "dropout": 0.1}
SHAPE: dict[str, Any] = {"steps": 3, "updates_per_step": 4, "rows_per_forward": 2, "learning_rate": 1e-2, "lora": LORA}


class StopError(Exception):
    """What stands for the end of the process."""


def by_content(step: int, completions: Sequence[str], answers: Sequence[str]) -> list[dict[str, float]]:
    del step, answers
    return [{"reward": len(text) % 5 / 5 + len(text.split()) / 7, "malformed": 0.0} for text in completions]


def run(phase: Phase, reward: Any = by_content, prepare: Callable[[Any], None] = lambda _trainer: None) -> Any:
    config = load_config(phase.config_path)
    trainer, recorder = build(phase, config, reward)
    prepare(trainer)
    fit(phase, grpo_settings(phase, config), trainer, recorder)
    return trainer


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("lora") / "model")


@pytest.fixture(scope="module")
def trained(model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Phase, Any, list[dict[str, Any]]]:
    """An uninterrupted phase, its trainer, and what its updates were computed from."""
    phase = write_phase(tmp_path_factory.mktemp("whole"), model, **SHAPE)
    batches: list[dict[str, Any]] = []

    def watch(trainer: Any) -> None:
        original = trainer.compute_loss

        def compute_loss(model: Any, inputs: dict[str, Any], **kwargs: Any) -> torch.Tensor:
            batches.append(inputs)
            return original(model, inputs, **kwargs)  # type: ignore[no-any-return]

        trainer.compute_loss = compute_loss

    return phase, run(phase, prepare=watch), batches


def test_what_is_published_is_the_whole_model_that_was_trained(
    trained: tuple[Phase, Any, list[dict[str, Any]]], model: Path
) -> None:
    phase, trainer, _batches = trained
    validate(phase.output)
    before, after = load_file(model / "model.safetensors"), load_file(phase.output / "model.safetensors")
    assert set(after) == set(before), "merged: no engine has to know that there were adapters"
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    assert changed == {name for name in after if "_proj" in name}, "every linear layer, and nothing else"
    ids = torch.arange(3, 20).unsqueeze(0)
    trainer.model.eval()
    with torch.no_grad():
        served = Qwen3ForCausalLM.from_pretrained(phase.output)(ids).logits
        assert (served - trainer.model(ids).logits).abs().max() < 1e-4


def test_the_reference_is_the_model_that_the_phase_started_from(
    trained: tuple[Phase, Any, list[dict[str, Any]]], model: Path
) -> None:
    start = Qwen3ForCausalLM.from_pretrained(model)
    batch = trained[2][-1]  # of the last step: the adapters have moved
    ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
    mask = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)
    width = batch["completion_ids"].shape[1]
    with torch.no_grad():
        logits = start(input_ids=ids, attention_mask=mask).logits[:, -width - 1 : -1]
    expected = logits.log_softmax(dim=-1).gather(2, batch["completion_ids"].unsqueeze(2)).squeeze(2)
    kept = batch["completion_mask"].bool()
    assert (batch["ref_per_token_logps"] - expected)[kept].abs().max() < 1e-4
    assert (batch["old_per_token_logps"] - expected)[kept].abs().max() > 1e-2
    assert metric_rows(trained[0])[-1]["kl"] > 1e-3


def test_a_resumed_phase_ends_with_the_weights_of_an_uninterrupted_one(
    trained: tuple[Phase, Any, list[dict[str, Any]]], model: Path, tmp_path: Path
) -> None:
    whole = trained[0]
    phase = write_phase(tmp_path, model, **SHAPE)

    def stops(step: int, completions: Sequence[str], answers: Sequence[str]) -> list[dict[str, float]]:
        if step == 2:
            raise StopError
        return by_content(step, completions, answers)

    with pytest.raises(StopError):
        run(phase, stops)
    checkpoint = checkpoints.last_complete(phase.resume_dir)
    assert checkpoint
    assert checkpoints.update(checkpoint) == 8
    assert not (checkpoint / "model.safetensors").exists(), "the frozen weights are not saved again"
    adapter = load_file(checkpoint / "adapter_model.safetensors")
    optimiser = torch.load(checkpoint / "optimizer.pt", weights_only=True)
    assert len(optimiser["state"]) == len(adapter) == 2 * 2 * 7, "A and B of seven linear layers in two blocks"

    run(phase)

    result = finished(phase)
    assert result
    assert result.resumed_steps == 2
    assert result.version == weights_version(whole.output)
    assert (phase.output / "model.safetensors").read_bytes() == (whole.output / "model.safetensors").read_bytes()


def test_the_next_phase_starts_from_what_was_published(
    trained: tuple[Phase, Any, list[dict[str, Any]]], tmp_path: Path
) -> None:
    phase = replace(write_phase(tmp_path, trained[0].output, **SHAPE | {"steps": 1}), iteration=2)
    run(phase)
    before, after = (load_file(path / "model.safetensors") for path in (trained[0].output, phase.output))
    moved = [name for name in after if not torch.equal(after[name], before[name])]
    assert len(moved) == 14
    assert metric_rows(phase)[0]["kl"] < 0.1, "a new reference"


@pytest.mark.parametrize(
    ("modules", "error", "said"),
    [
        (["lm_head"], ValueError, "adapter to `lm_head` is not supported"),
        (["embed_tokens", "q_proj"], TrainingError, "names the embeddings"),
        (["query"], ValueError, "Target modules .*query.* not found in the base model"),
    ],
)
def test_layers_that_cannot_be_adapted_are_refused_before_training(
    modules: list[str], error: type[Exception], said: str, model: Path, tmp_path: Path
) -> None:
    phase = write_phase(tmp_path, model, **SHAPE | {"lora": LORA | {"target_modules": modules}})
    with pytest.raises(error, match=said):
        build(phase, load_config(phase.config_path), by_content)


def test_frozen_weights_are_held_in_bfloat16_and_adapters_in_float32(
    trained: tuple[Phase, Any, list[dict[str, Any]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transformers.training_args.is_torch_bf16_gpu_available", lambda: True)
    training = GRPOConfig(steps=1, group_size=4, updates_per_step=1, lora=LoRAConfig())
    arguments = trl_arguments(trained[0], training, on_gpu=False)
    assert arguments.model_init_kwargs == {"dtype": "bfloat16"}
    sharded = trl_arguments(trained[0], training.model_copy(update={"sharding": "fsdp2"}), on_gpu=False)
    assert sharded.model_init_kwargs == {"dtype": "float32"}, "FSDP2 wants one dtype in a layer"
    in_bfloat16 = write_model(tmp_path / "model")
    phase = write_phase(tmp_path / "phase", in_bfloat16, **SHAPE)
    config = load_config(phase.config_path)
    with monkeypatch.context() as patch:
        patch.setattr("rdiverse.training.settings._frozen_in_bfloat16", lambda _training: True)
        trainer, _recorder = build(phase, config, by_content)
    kinds = {(parameter.requires_grad, parameter.dtype) for parameter in trainer.model.parameters()}
    assert kinds == {(False, torch.bfloat16), (True, torch.float32)}


@pytest.mark.parametrize("lora", [None, LORA | {"dropout": 0.0}], ids=["full", "adapters"])
def test_gradient_checkpointing_costs_no_precision_and_bfloat16_is_published_as_such(
    lora: dict[str, Any] | None, model: Path, tmp_path: Path
) -> None:
    shape = SHAPE | {"steps": 1, "lora": lora}
    plain, again = (write_phase(tmp_path / str(on), model, gradient_checkpointing=on, **shape) for on in (False, True))
    half = write_phase(tmp_path / "half", model, dtype="bfloat16", gradient_checkpointing=True, **shape)
    for phase in (plain, again, half):
        run(phase)
    assert weights_version(plain.output) == weights_version(again.output)
    weights, exact = load_file(half.output / "model.safetensors"), load_file(plain.output / "model.safetensors")
    assert set(weights) == set(exact), "what is tied is written once"
    assert {value.dtype for value in weights.values()} == {torch.bfloat16}
    assert Qwen3Config.from_pretrained(half.output).dtype == torch.bfloat16
