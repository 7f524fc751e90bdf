"""From our settings to TRL's, where every value that the method names is set and none is left to a default.

TRL 1.16's defaults differ from the method's in loss_type (dapo), beta (0), epsilon_high (as low), delta (none),
lr_scheduler_type (linear), use_bias_correction_kl (on), top_p (1), bf16 and gradient_checkpointing (on).
"""

import os
from typing import TYPE_CHECKING, Any, Literal

from rdiverse.config import GRPOConfig, RunConfig
from rdiverse.selfplay.seeds import derive_seed
from rdiverse.training.launch.phase import Phase

if TYPE_CHECKING:
    from trl.trainer.grpo_config import GRPOConfig as TRLConfig


def grpo_settings(phase: Phase, config: RunConfig) -> GRPOConfig:
    """The settings of the phase's role."""
    return config.training(phase.role)


def rows_per_forward(training: GRPOConfig) -> int:
    """Rollouts in one forward pass of one process."""
    return min(training.rows_per_forward, rows_per_update(training))


def rows_per_update(training: GRPOConfig) -> int:
    """Rollouts of one optimiser update in one process."""
    return training.prompts_per_step * training.group_size // (training.updates_per_step * training.processes)


def trl_arguments(
    phase: Phase, training: GRPOConfig, on_gpu: bool, engine: Literal["transformers", "vllm"] = "transformers"
) -> "TRLConfig":
    """TRL's arguments for a phase (docs/method.md, "GRPO settings of the reference runs").

    `engine` serves; where it is vllm it draws rollouts, too, inside the training processes, if these have GPUs. On CPUs
    transformers draws them.
    """
    from trl.trainer.grpo_config import GRPOConfig as TRLConfig

    if "tensorboard" in training.trackers:
        # The one way in which transformers takes the folder.
        os.environ["TENSORBOARD_LOGGING_DIR"] = str(
            phase.metrics_path.parent / "tensorboard" / f"{phase.role}-{phase.iteration:02d}"
        )
    rows = rows_per_forward(training)
    accumulation = rows_per_update(training) // rows
    return TRLConfig(
        output_dir=str(phase.resume_dir),
        seed=derive_seed(phase.seed, "trainer") % 2**32,
        # The step: one generation batch, used for `updates_per_step` updates.
        max_steps=training.steps * training.updates_per_step,
        num_generations=training.group_size,
        num_iterations=1,
        per_device_train_batch_size=rows,
        gradient_accumulation_steps=accumulation,
        steps_per_generation=accumulation * training.updates_per_step,
        shuffle_dataset=False,  # the dataset is laid out step by step already
        # The loss.
        loss_type="grpo",
        importance_sampling_level="token",
        scale_rewards="group",
        multi_objective_aggregation="sum_then_normalize",
        beta=training.kl_coefficient,
        use_bias_correction_kl=False,
        epsilon=training.clip_low,
        epsilon_high=training.clip_high,
        delta=training.dual_clip,
        mask_truncated_completions=False,
        top_entropy_quantile=1.0,
        entropy_coef=0.0,
        disable_dropout=training.lora is None,  # it would silence the adapters' too; the models have none of their own
        sync_ref_model=False,
        # The optimiser.
        optim="adamw_torch",
        learning_rate=training.learning_rate,
        lr_scheduler_type="constant",
        warmup_steps=0,
        adam_beta1=training.adam_beta1,
        adam_beta2=training.adam_beta2,
        adam_epsilon=1e-8,
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        # Rollouts.
        temperature=training.sampling.temperature,
        top_p=training.sampling.top_p,
        top_k=training.sampling.top_k,
        max_completion_length=training.sampling.max_tokens,
        use_vllm=engine == "vllm" and on_gpu,
        vllm_mode="colocate",
        vllm_gpu_memory_utilization=training.rollout_gpu_memory,
        vllm_max_model_length=training.max_prompt_tokens + training.sampling.max_tokens,
        vllm_enable_sleep_mode=True,  # vLLM's memory is the trainer's while weights are updated
        vllm_importance_sampling_correction=False,  # as in the reference runs: ratios are to the trainer's own old policy
        # Precision and memory. What is trained is float32 either way: steps of 1e-6 vanish in bfloat16.
        model_init_kwargs={"dtype": "bfloat16" if _frozen_in_bfloat16(training) else "float32"},
        bf16=training.dtype == "bfloat16",
        gradient_checkpointing=training.gradient_checkpointing and training.sharding == "none",
        use_cpu=not on_gpu,
        **_sharding(training),
        # Checkpoints: only at the end of a generation batch, where resuming is exact.
        save_strategy="steps",
        save_steps=training.checkpoint_every * training.updates_per_step,
        save_total_limit=None,  # ours are deleted once the next one is whole
        # Logging: once a generation batch; a loss that is no number must be seen.
        logging_strategy="steps",
        logging_steps=training.updates_per_step,
        logging_nan_inf_filter=False,
        disable_tqdm=True,
        report_to=list(training.trackers),
        push_to_hub=False,
        remove_unused_columns=False,
        dataloader_num_workers=0,
        dataloader_pin_memory=on_gpu,
        ddp_find_unused_parameters=False,
    )


def _frozen_in_bfloat16(training: GRPOConfig) -> bool:
    """Weights under adapters do not change, and need no more than they are computed with; FSDP2 wants one dtype a layer."""
    return training.lora is not None and training.dtype == "bfloat16" and training.sharding == "none"


def _sharding(training: GRPOConfig) -> dict[str, Any]:
    """FSDP2 wraps each decoder layer, and then checkpoints activations itself."""
    if training.sharding == "none":
        return {}
    return {
        "fsdp": True,
        "fsdp_config": {
            "version": 2,
            "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
            "state_dict_type": "FULL_STATE_DICT",
            "reshard_after_forward": True,
            "activation_checkpointing": training.gradient_checkpointing,
        },
    }
