"""Every constant of the reference runs reaches TRL, whatever TRL's own defaults are."""

from pathlib import Path

import pytest

from rdiverse.config import GRPOConfig, load_config
from rdiverse.selfplay.roles import Role
from rdiverse.training.launch.phase import Phase
from rdiverse.training.settings import rows_per_forward, rows_per_update, trl_arguments

CONFIGS = Path(__file__).parents[2] / "configs"


def phase(role: Role, folder: Path) -> Phase:
    return Phase(
        role=role, iteration=1, config_path=folder, model=folder, output=folder / "o", resume_dir=folder / "r",
        log_path=folder, metrics_path=folder, events_path=folder, seed=3,
    )  # fmt: skip


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("name", ["qwen3-4b.yaml", "qwen3-8b.yaml"])
def test_effective_trl_arguments_are_the_methods(name: str, role: Role, tmp_path: Path) -> None:
    config = load_config(CONFIGS / name)
    training = (config.challenger if role is Role.CHALLENGER else config.solver).training
    assert training.dtype == "bfloat16"
    # The arguments do not depend on the precision, and this machine may not have the method's.
    arguments = trl_arguments(phase(role, tmp_path), training.model_copy(update={"dtype": "float32"}), on_gpu=False)
    loss = {
        "loss_type": "grpo", "beta": 0.01, "use_bias_correction_kl": False, "epsilon": 0.2, "epsilon_high": 0.3, "delta": 3.0,
        "scale_rewards": "group", "importance_sampling_level": "token", "num_iterations": 1,
        "mask_truncated_completions": False,
        "entropy_coef": 0.0, "top_entropy_quantile": 1.0, "off_policy_mask_threshold": None, "sync_ref_model": False,
    }  # fmt: skip
    optimiser = {
        "optim": "adamw_torch", "learning_rate": 1e-6, "lr_scheduler_type": "constant", "warmup_steps": 0, "adam_beta1": 0.9,
        "adam_beta2": 0.999, "weight_decay": 0.01, "max_grad_norm": 1.0,
    }  # fmt: skip
    rollouts = {
        "temperature": 1.0, "top_p": 0.99, "top_k": 0, "min_p": None, "repetition_penalty": 1.0, "max_completion_length": 4096,
    }  # fmt: skip
    shape = (
        {"num_generations": 4, "max_steps": 5 * 32} if role is Role.CHALLENGER else {"num_generations": 5, "max_steps": 15 * 4}
    )
    batch = 512 * 4 if role is Role.CHALLENGER else 512 * 5
    assert arguments.generation_batch_size * training.processes == batch  # TRL sees one process here
    assert rows_per_update(training) * training.processes * training.updates_per_step == batch
    for field, value in (loss | optimiser | rollouts | shape).items():
        assert getattr(arguments, field) == value, field
    assert training.sharding == "fsdp2", "no GPU holds 16 bytes for each of four billion parameters beside rollouts"
    assert arguments.fsdp_config["activation_checkpointing"]
    assert training.max_prompt_tokens == 2048
    assert training.advantage_eps == 1e-6


def test_an_update_is_accumulated_from_forward_passes_that_fill_it_exactly(tmp_path: Path) -> None:
    training = GRPOConfig(steps=2, prompts_per_step=512, group_size=4, updates_per_step=4, rows_per_forward=16, dtype="float32")
    arguments = trl_arguments(phase(Role.SOLVER, tmp_path), training, on_gpu=False)
    assert rows_per_forward(training) == arguments.per_device_train_batch_size == 16
    assert arguments.gradient_accumulation_steps == 32
    assert arguments.steps_per_generation == 128
    assert arguments.save_steps == arguments.logging_steps == 4


def test_bfloat16_is_autocast_over_float32_master_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    training = GRPOConfig(steps=1, group_size=4, updates_per_step=1)
    monkeypatch.setattr("transformers.training_args.is_torch_bf16_gpu_available", lambda: True)
    arguments = trl_arguments(phase(Role.SOLVER, tmp_path), training, on_gpu=False)
    assert arguments.bf16
    assert arguments.model_init_kwargs == {"dtype": "float32"}


def test_where_there_is_no_gpu_transformers_draws_the_rollouts(tmp_path: Path) -> None:
    training = load_config(CONFIGS / "qwen3-4b.yaml").solver.training.model_copy(update={"dtype": "float32"})
    assert not trl_arguments(phase(Role.SOLVER, tmp_path), training, on_gpu=False, engine="vllm").use_vllm


def test_sharding_is_fsdp2_with_checkpointed_layers(tmp_path: Path) -> None:
    training = GRPOConfig(steps=1, group_size=4, updates_per_step=1, dtype="float32", sharding="fsdp2", processes=2)
    arguments = trl_arguments(phase(Role.SOLVER, tmp_path), training, on_gpu=False)
    assert arguments.fsdp
    assert arguments.fsdp_config["version"] == 2
    assert arguments.fsdp_config["activation_checkpointing"]
    assert not arguments.gradient_checkpointing, "one of the two, not both"


def test_sharding_needs_several_processes() -> None:
    with pytest.raises(ValueError, match="sharding = fsdp2 needs more than one of processes"):
        GRPOConfig(steps=1, group_size=4, updates_per_step=1, sharding="fsdp2")


@pytest.mark.parametrize("trackers", [(), ("tensorboard",), ("wandb", "mlflow"), ("tensorboard", "wandb", "mlflow")])
def test_trackers_are_those_that_were_asked_for(trackers: tuple[str, ...], tmp_path: Path) -> None:
    training = GRPOConfig(steps=1, group_size=4, updates_per_step=1, dtype="float32", trackers=trackers)
    assert trl_arguments(phase(Role.SOLVER, tmp_path), training, on_gpu=False).report_to == list(trackers)
    assert GRPOConfig(steps=1, group_size=4, updates_per_step=1).trackers == ("tensorboard",)
