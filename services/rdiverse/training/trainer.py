"""TRL's GRPO trainer with the method's advantage, our rollouts and checkpoints that are whole or not there."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Protocol

import torch
from trl.models.utils import disable_gradient_checkpointing, unwrap_model_for_generation
from trl.trainer.grpo_trainer import GRPOTrainer

from rdiverse.config import GRPOConfig
from rdiverse.selfplay.seeds import derive_seed
from rdiverse.training import adapters, checkpoints
from rdiverse.training.advantages import group_advantages
from rdiverse.training.chunks import in_trimmed_chunks
from rdiverse.training.errors import TrainingError
from rdiverse.training.rollout import Noise, sample


class Reward(Protocol):
    """What a completion earns, and why."""

    def __call__(self, step: int, completions: Sequence[str], answers: Sequence[str]) -> list[dict[str, float]]:
        """Pay this rank's completions of generation batch `step` (from 0).

        One dict a completion: "reward", and its terms by name. Raises rather than pay something made up.
        """


class SelfPlayTrainer(GRPOTrainer):  # type: ignore[misc]
    """GRPO on prompts laid out step by step. `steps` holds the figures of every generation batch that was trained on."""

    def __init__(self, *, reward: Reward, training: GRPOConfig, seed: int, rows_together: int, **kwargs: Any) -> None:
        """`rows_together`: rollouts that are decoded at once; `seed`: all noise derives from it; the rest is TRL's."""
        self._pay = reward
        self._training = training
        self._seed = seed
        self._rows_together = rows_together
        self.seconds = {"rollout": 0.0, "reward": 0.0, "save": 0.0}
        self._payments: list[dict[str, float]] = []
        super().__init__(reward_funcs=[self._reward], **kwargs)

    @property
    def generation_step(self) -> int:
        """Generation batches that are done."""
        return int(self.state.global_step) // self._training.updates_per_step

    @contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        before = time.perf_counter()
        yield
        self.seconds[part] += time.perf_counter() - before

    # Rollouts

    def _generate_single_turn(self, prompt_ids: Any, images: Any, multimodal_fields: Any, *args: Any, **kwargs: Any) -> Any:
        with self._timed("rollout"):
            if self.use_vllm or self.is_fsdp_enabled:
                with _without_dropout(self.model_wrapped):
                    return super()._generate_single_turn(prompt_ids, images, multimodal_fields, *args, **kwargs)
            first_row = self.accelerator.process_index * len(prompt_ids)
            noise = Noise(derive_seed(self._seed, "rollout", self.generation_step), first_row)
            with (
                unwrap_model_for_generation(self.model_wrapped, self.accelerator) as model,
                disable_gradient_checkpointing(model) if self.args.gradient_checkpointing else nullcontext(),
                _without_dropout(model),
            ):
                return sample(model, prompt_ids, self._training.sampling, noise, self.eos_token_ids, self._rows_together), None

    def _generate_and_score_completions(self, inputs: Any) -> Any:
        # The one shuffle within TRL then depends on the step alone, not on what ran before.
        torch.manual_seed(derive_seed(self._seed, "step", self.generation_step, self.accelerator.process_index))
        output = super()._generate_and_score_completions(inputs)
        local = torch.tensor([payment["reward"] for payment in self._payments], dtype=torch.float64)
        rewards = self.accelerator.gather(local.float().to(self.accelerator.device))
        advantages = group_advantages(rewards, self.num_generations, self._training.advantage_eps)
        begin = self.accelerator.process_index * len(local)
        output["advantages"] = advantages[begin : begin + len(local)].to(output["advantages"])
        self._record_payments(rewards)
        return output

    # Log-probabilities

    def _get_per_token_logps_and_entropies(
        self, model: Any, input_ids: torch.Tensor, attention_mask: torch.Tensor, logits_to_keep: int, *args: Any, **kwargs: Any
    ) -> Any:
        one_pass = super()._get_per_token_logps_and_entropies

        def score(ids: torch.Tensor, mask: torch.Tensor, completion: int) -> Any:
            return one_pass(model, ids, mask, completion, *args, **kwargs)[:2]

        with nullcontext() if torch.is_grad_enabled() else _without_dropout(model):
            return *in_trimmed_chunks(score, input_ids, attention_mask, logits_to_keep), None

    # Rewards

    def _reward(self, completions: Sequence[Any], answer: Sequence[str], **_kwargs: Any) -> list[float]:
        texts = [text if isinstance(text, str) else text[-1]["content"] or "" for text in completions]
        with self._timed("reward"):
            self._payments = self._pay(self.generation_step, texts, answer)
        for payment in self._payments:
            if not math.isfinite(payment["reward"]):
                raise TrainingError(f"a reward is no finite number: {payment}")
        return [payment["reward"] for payment in self._payments]

    def _record_payments(self, rewards: torch.Tensor) -> None:
        """Let TRL's metrics carry the mean of every term, and what the groups look like."""
        names = sorted(self._payments[0])
        local = torch.tensor([[payment[name] for name in names] for payment in self._payments], dtype=torch.float32)
        means = self.accelerator.gather(local.to(self.accelerator.device)).double().mean(dim=0)
        groups = rewards.double().view(-1, self.num_generations)
        metrics = self._metrics["train"]
        for name, mean in zip(names, means.tolist(), strict=True):
            metrics[f"terms/{name}"].append(mean)
        metrics["group_std"].append(groups.std(dim=1).mean().item())
        metrics["equal_groups"].append((groups.amin(dim=1) == groups.amax(dim=1)).double().mean().item())

    # Checkpoints

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        if self.state.global_step >= self.args.max_steps:
            return  # the weights are about to be published
        folder = checkpoints.folder(Path(self.args.output_dir), self.state.global_step)
        with self._timed("save"):
            super()._save_checkpoint(model, trial)
            self.accelerator.wait_for_everyone()
            if self.accelerator.is_main_process:
                checkpoints.complete(folder)
            self.accelerator.wait_for_everyone()

    def create_model_card(self, *_args: Any, **_kwargs: Any) -> None:
        """A resume checkpoint needs no model card."""

    def weights(self) -> dict[str, torch.Tensor]:
        """The trained weights, adapters merged, in the dtype that is trained in. Every rank calls this; rank 0 gets them."""
        weights = self.accelerator.get_state_dict(self.model)
        if self._training.lora:
            weights = adapters.merged(weights, self._training.lora)
        # Gathered or converted, a tied weight is a copy: it would be written twice.
        tied = self._bare_model().all_tied_weights_keys
        return {name: value.to(self._dtype()) for name, value in weights.items() if name not in tied}

    def write(self, folder: Path, weights: dict[str, torch.Tensor]) -> None:
        """Write `weights` as a model directory, with tokenizer and configuration."""
        model = self._bare_model()
        model.save_pretrained(folder, state_dict=weights)
        model.config.dtype = self._dtype()  # save_pretrained writes the master weights'
        model.config.save_pretrained(folder)
        self.processing_class.save_pretrained(folder)

    def _bare_model(self) -> Any:
        model = self.accelerator.unwrap_model(self.model)
        return model.get_base_model() if self._training.lora else model

    def _dtype(self) -> torch.dtype:
        return torch.bfloat16 if self._training.dtype == "bfloat16" else torch.float32


@contextmanager
def _without_dropout(model: Any) -> Iterator[None]:
    """What a model draws or is compared with depends on its weights alone."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)
