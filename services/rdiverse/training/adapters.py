"""Low-rank adapters: what peft is told of them, and the weights that they amount to (LoRA, arXiv 2106.09685)."""

from typing import TYPE_CHECKING, Any

from rdiverse.config import LoRAConfig
from rdiverse.training.errors import TrainingError

if TYPE_CHECKING:
    import torch
    from peft import LoraConfig

PREFIX = "base_model.model."
BASE = ".base_layer."


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

    `weights` is the state dict of the PeftModel. Adapted weights come back in float32, the others as they are.
    """
    found = {}
    for name, value in weights.items():
        if ".lora_" in name:
            continue
        own = name.removeprefix(PREFIX)
        if not name.endswith(f"{BASE}weight"):
            found[own.replace(BASE, ".")] = value
            continue
        layer = name.removesuffix(f"{BASE}weight")
        a, b = weights[f"{layer}.lora_A.default.weight"], weights[f"{layer}.lora_B.default.weight"]
        found[own.replace(BASE, ".")] = value.float() + lora.alpha / lora.rank * (b.float() @ a.float())
    return found
