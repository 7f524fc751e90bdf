"""All that leans on TRL's insides, for the one version that pyproject.toml pins.

What TRL offers openly carries the rest: rollouts come in by `rollout_func`, figures by `log_metric` (trainer.py).
tests/unit/test_training_trl.py names the method here that another version changed.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from trl.models.utils import disable_gradient_checkpointing, unwrap_model_for_generation
from trl.trainer.grpo_trainer import GRPOTrainer

from rdiverse.training import checkpoints
from rdiverse.training.chunks import in_trimmed_chunks

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")  # it would warn that `rollout_func` may change: that is why it is pinned


class TRLAdapter(GRPOTrainer):  # type: ignore[misc]
    """TRL's trainer with advantages of our own, scores that cost no padding, and checkpoints that are whole or not there."""

    advantages: torch.Tensor
    """(this rank's rollouts,): set by the reward function."""

    @contextmanager
    def model_for_rollouts(self) -> Iterator[Any]:
        """The policy as one process holds it, in evaluation mode and without gradient checkpointing."""
        with (
            unwrap_model_for_generation(self.model_wrapped, self.accelerator) as model,
            disable_gradient_checkpointing(model) if self.args.gradient_checkpointing else nullcontext(),
            without_dropout(model),
        ):
            yield model

    @property
    def draws_by_itself(self) -> bool:
        """Whether TRL draws the rollouts: vLLM's are its own, and sharded weights need all ranks at every token."""
        return bool(self.use_vllm or self.is_fsdp_enabled)

    def drawn_by_itself(self, prompt_ids: list[list[int]]) -> tuple[list[list[int]], Any]:
        """Tokens that TRL draws, one completion a prompt, and their log-probabilities where it has them."""
        with without_dropout(self.model_wrapped):
            tokens, logprobs = self._generate_single_turn(prompt_ids, None, {}, self.num_generations)
        return tokens, logprobs

    def _generate_and_score_completions(self, inputs: Any) -> Any:
        # TRL has its own formula (an eps of 1e-4, no exact zero) and no argument for another: one entry is replaced.
        output = super()._generate_and_score_completions(inputs)
        output["advantages"] = self.advantages.to(output["advantages"])
        return output

    def _get_per_token_logps_and_entropies(
        self, model: Any, input_ids: torch.Tensor, attention_mask: torch.Tensor, logits_to_keep: int, *args: Any, **kwargs: Any
    ) -> Any:
        one_pass = super()._get_per_token_logps_and_entropies

        def score(ids: torch.Tensor, mask: torch.Tensor, completion: int) -> Any:
            return one_pass(model, ids, mask, completion, *args, **kwargs)[:2]

        with nullcontext() if torch.is_grad_enabled() else without_dropout(model):
            return *in_trimmed_chunks(score, input_ids, attention_mask, logits_to_keep), None

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        if self.state.global_step >= self.args.max_steps:
            return  # the weights are about to be published
        super()._save_checkpoint(model, trial)
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            checkpoints.complete(checkpoints.folder(Path(self.args.output_dir), self.state.global_step))
        self.accelerator.wait_for_everyone()

    def create_model_card(self, *_args: Any, **_kwargs: Any) -> None:
        """A resume checkpoint needs no model card."""


@contextmanager
def without_dropout(model: Any) -> Iterator[None]:
    """What a model draws or is compared with depends on its weights alone."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)
