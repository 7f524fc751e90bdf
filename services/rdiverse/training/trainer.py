"""The GRPO trainer of both policies: the method's advantage, rollouts as the servers draw them, rewards from anywhere."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean
from typing import Any, Protocol

import torch

from rdiverse.config import GRPOConfig
from rdiverse.lm.completing import complete
from rdiverse.lm.sampling_params import SamplingParams
from rdiverse.lm.tokenizer import ChatTokenizer, visible
from rdiverse.selfplay.seeds import derive_seed
from rdiverse.training import adapters
from rdiverse.training.advantages import group_advantages
from rdiverse.training.errors import TrainingError
from rdiverse.training.trl_adapter import TRLAdapter

LogMetric = Callable[[str, float], None]


class Reward(Protocol):
    """The reward of a completion, and its terms."""

    def __call__(self, step: int, completions: Sequence[str], answers: Sequence[str]) -> list[dict[str, float]]:
        """Score this rank's completions of generation batch `step` (from 0).

        One dict a completion: "reward", and its terms by name. Raises rather than return something made up.
        """


class SelfPlayTrainer(TRLAdapter):
    """GRPO on rendered prompts laid out step by step. `seconds` holds what each part took so far."""

    def __init__(
        self, *, reward: Reward, tokenizer: ChatTokenizer, training: GRPOConfig, seed: int, max_rows: int, **kwargs: Any
    ) -> None:
        """`max_rows`: rollouts that are decoded together; `seed`: all noise derives from it; the rest is TRL's."""
        self.reward_function = reward
        self._chat = tokenizer
        self._training = training
        self._seed = seed
        self._max_rows = max_rows
        self.seconds = {"rollout": 0.0, "reward": 0.0, "save": 0.0}
        super().__init__(reward_funcs=[self.reward], rollout_func=self._rollout, processing_class=tokenizer.library, **kwargs)
        model = self._bare_model()
        self.eos_token_ids = tokenizer.eos(model.config.get_text_config(decoder=True), model.generation_config)

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

    def _rollout(self, prompts: Sequence[str], _trainer: Any) -> dict[str, Any]:
        """Draw one completion for each of this rank's rows, of which `group_size` have the same prompt."""
        # The one shuffle within TRL then depends on the step alone, not on what ran before.
        torch.manual_seed(derive_seed(self._seed, "step", self.generation_step, self.accelerator.process_index))
        with self._timed("rollout"):
            prompt_ids = self._chat.encode_rendered(prompts)
            tokens, logprobs = self.drawn_by_itself(prompt_ids) if self.draws_by_itself else (self._draw(prompt_ids), None)
        return {"prompt_ids": prompt_ids, "completion_ids": tokens, "logprobs": logprobs}

    def _draw(self, prompt_ids: list[list[int]]) -> list[list[int]]:
        sampling = self._training.sampling
        params = SamplingParams(sampling.temperature, sampling.top_p, sampling.top_k, sampling.max_tokens)
        with self.model_for_rollouts() as model:
            return complete(
                model,
                prompt_ids,
                params,
                seed=derive_seed(self._seed, "rollout", self.generation_step),
                eos=self.eos_token_ids,
                max_rows=self._max_rows,
                samples=self.num_generations,
                first_row=self.accelerator.process_index * len(prompt_ids),
            )

    # Rewards and advantages

    def reward(
        self,
        completion_ids: Sequence[list[int]],
        answer: Sequence[str],
        log_metric: LogMetric,
        **_kwargs: Any,
    ) -> list[float]:
        """Rewards of this rank's completions, from the text that a server would give for their tokens."""
        texts = self._chat.decode([visible(tokens, self.eos_token_ids) for tokens in completion_ids])
        with self._timed("reward"):
            scored = self.reward_function(self.generation_step, texts, answer)
        for terms in scored:
            if not math.isfinite(terms["reward"]):
                raise TrainingError(f"a reward is no finite number: {terms}")
        for name in scored[0]:
            log_metric(f"terms/{name}", fmean(terms[name] for terms in scored))
        local = [terms["reward"] for terms in scored]
        self._set_advantages(torch.tensor(local, device=self.accelerator.device), log_metric)
        return local

    def _set_advantages(self, local: torch.Tensor, log_metric: LogMetric) -> None:
        """Of this rank's completions, whose groups may be spread over ranks. Every rank calls this."""
        rewards = self.accelerator.gather(local).double()
        groups = rewards.view(-1, self.num_generations)
        log_metric("group_std", groups.std(dim=1).mean().item())
        log_metric("equal_groups", (groups.amin(dim=1) == groups.amax(dim=1)).double().mean().item())
        advantages = group_advantages(rewards, self.num_generations, self._training.advantage_eps)
        self.advantages = advantages.view(-1, len(local))[self.accelerator.process_index]

    # Weights

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        with self._timed("save"):
            super()._save_checkpoint(model, trial)

    def weights(self) -> dict[str, torch.Tensor]:
        """The trained weights, adapters merged, in the dtype that is trained in. Every rank calls this; rank 0 gets them."""
        weights = self.accelerator.get_state_dict(self.model)
        if self._training.lora and weights:  # sharded, they are gathered on rank 0 alone
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
