"""Settings of the two GRPO trainers. Defaults are those of the reference runs (R-Zero's paper and scripts)."""

from typing import Literal

from pydantic import Field, model_validator

from rdiverse.config.base import SamplingConfig, Section


class LoRAConfig(Section):
    """Low-rank adapters in place of full training (LoRA; needs peft)."""

    rank: int = Field(64, ge=1, le=4096)
    """Inner dimension of every adapter."""
    alpha: float = Field(64.0, gt=0, le=65_536)
    """The adapters' product is scaled by alpha / rank."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of an adapter's inputs that an update leaves out; rollouts and old log-probabilities leave out none."""
    target_modules: Literal["all-linear"] | tuple[str, ...] = "all-linear"
    """Names of the linear layers that get an adapter; all-linear: every one but the output layer."""


class GRPOConfig(Section):
    """One GRPO phase. A *step* is one generation batch: `prompts_per_step` groups of `group_size` rollouts."""

    steps: int = Field(ge=1, le=100_000)
    """Generation batches in the phase (reference: 5 for the Challenger, 15 for the Solver)."""
    prompts_per_step: int = Field(512, ge=1, le=65_536)
    """Groups per step."""
    group_size: int = Field(ge=2, le=1024)
    """Rollouts per group (reference: 4 for the Challenger, 5 for the Solver)."""
    updates_per_step: int = Field(ge=1, le=1024)
    """Optimiser updates per step (reference: 32 for the Challenger, 4 for the Solver)."""
    rows_per_forward: int = Field(16, ge=1, le=65_536)
    """Rollouts in one forward pass of one process; the rest of an update is accumulated."""
    learning_rate: float = Field(1e-6, gt=0, le=1)
    """AdamW's step size, constant over the phase."""
    adam_beta1: float = Field(0.9, ge=0, lt=1)
    adam_beta2: float = Field(0.999, ge=0, lt=1)
    weight_decay: float = Field(0.01, ge=0, le=1)
    max_grad_norm: float = Field(1.0, gt=0)
    """Gradients are scaled down to this norm."""
    kl_coefficient: float = Field(0.01, ge=0, le=100)
    """Weight of the KL divergence (k3 estimator) to the phase's starting model, as a loss term."""
    clip_low: float = Field(0.2, gt=0, lt=1)
    """The probability ratio is clipped below at 1 - clip_low."""
    clip_high: float = Field(0.3, gt=0)
    """The probability ratio is clipped above at 1 + clip_high."""
    dual_clip: float = Field(3.0, gt=1)
    """Upper bound of the ratio where the advantage is negative."""
    advantage_eps: float = Field(1e-6, gt=0, le=1)
    """Added to the group's standard deviation."""
    sampling: SamplingConfig = SamplingConfig(top_p=0.99)
    """How rollouts are drawn."""
    max_prompt_tokens: int = Field(2048, ge=1, le=1_048_576)
    """A longer prompt is refused before training starts."""
    dtype: Literal["bfloat16", "float32"] = "bfloat16"
    lora: LoRAConfig | None = None
    """Train adapters only and publish them merged into the weights; null: train every weight."""
    gradient_checkpointing: bool = True
    processes: int = Field(1, ge=1, le=1024)
    """Trainer processes (torchrun's ranks), one a GPU."""
    sharding: Literal["none", "fsdp2"] = "none"
    """none: every process holds the model; fsdp2: parameters, gradients and optimiser state are spread over them."""
    rollout_gpu_memory: float = Field(0.4, gt=0, lt=1)
    """Share of a GPU's memory that vLLM takes inside a trainer process (rollouts with inference.engine = vllm)."""
    trackers: tuple[Literal["tensorboard", "wandb", "mlflow"], ...] = ("tensorboard",)
    """Where the figures of every step go besides metrics.jsonl. TensorBoard's files stand beside it."""
    checkpoint_every: int = Field(1, ge=1)
    """Steps between resume checkpoints; only the last one is kept."""

    @model_validator(mode="after")
    def _fits_together(self) -> "GRPOConfig":
        if self.sharding == "fsdp2" and self.processes == 1:
            raise ValueError("sharding = fsdp2 needs more than one of processes")
        rollouts = self.prompts_per_step * self.group_size
        if rollouts % (self.updates_per_step * self.processes):
            raise ValueError(
                f"prompts_per_step * group_size = {rollouts} rollouts do not divide into updates_per_step * processes"
                f" = {self.updates_per_step} * {self.processes} equal parts"
            )
        rows = rollouts // (self.updates_per_step * self.processes)
        if rows % min(rows, self.rows_per_forward):
            raise ValueError(f"rows_per_forward = {self.rows_per_forward} does not divide the {rows} rollouts of one update")
        return self


class ChallengerRewardConfig(Section):
    """R(q) = R_unc - alpha * P_rep - beta * P_MAP (R-Diverse; the weights are third parties' reports)."""

    uncertainty: Literal["tent", "min"] = "min"
    """tent = 1 - 2|s - 1/2| (R-Zero's paper); min = min(s, 1 - s) (R-Zero's code)."""
    alpha: float = Field(1.0, ge=0, le=100)
    """Weight of the repetition penalty."""
    beta: float = Field(1.0, ge=0, le=100)
    """Weight of the memory penalty."""
    compat: bool = False
    """Pay -1 for a malformed completion as R-Zero does, although a well-formed question can earn less."""
    samples: int = Field(10, ge=1, le=1024)
    """Solver samples per question (m)."""
    solver_sampling: SamplingConfig = SamplingConfig(top_k=40)
    """How the Solver answers while the Challenger is trained."""
    timeout_seconds: float = Field(3600, gt=0)
    """A reward that takes longer ends training."""


class SolverRewardConfig(Section):
    """1 for the pseudo-label, else 0."""

    accuracy_weight: float = Field(1.0, gt=0, le=1)
    """Weight of a right answer; the rest goes to the format (R-Zero: 0.9). 1 = the format earns nothing."""
