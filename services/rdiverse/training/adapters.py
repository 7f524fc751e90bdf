"""Low-rank adapters: what peft is told of them, and the weights that they amount to."""

from typing import TYPE_CHECKING, Any

from rdiverse.config import LoRAConfig
from rdiverse.lm.lora import PREFIX, merge, pairs_of
from rdiverse.training.errors import TrainingError

if TYPE_CHECKING:
    import torch
    from peft import LoraConfig

_ADAPTER, _BASE = ".lora_", ".base_layer."


def peft_config(lora: LoRAConfig) -> "LoraConfig":
    """The adapters in peft's words: W + alpha / rank * B A, where B starts at zero."""
    from peft import LoraConfig

    modules = lora.target_modules
    return LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=modules if isinstance(modules, str) else list(modules),
        bias="none",
        task_type="CAUSAL_LM",
    )


def check(model: Any) -> None:
    """Refuse adapters on the embeddings: `merged` knows linear layers. On the output layer TRL refuses them.

    Raises TrainingError.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer

    if isinstance(model.get_base_model().get_input_embeddings(), BaseTunerLayer):
        raise TrainingError("lora.target_modules names the embeddings; adapters go on linear layers")


def merged(weights: "dict[str, torch.Tensor]", lora: LoRAConfig) -> "dict[str, torch.Tensor]":
    """The full weights that a model with adapters computes with, under the model's own names.

    `weights` is the state dict of the PeftModel.
    """
    adapters = {name.replace(".default.", "."): value for name, value in weights.items() if _ADAPTER in name}
    full = {name.removeprefix(PREFIX).replace(_BASE, "."): value for name, value in weights.items() if _ADAPTER not in name}
    merge(full, pairs_of(adapters, "trained"), lora.alpha, "trained")
    return full
