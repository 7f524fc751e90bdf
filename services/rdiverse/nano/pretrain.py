"""The recipe of the shipped checkpoint: a plain loop over a fixed number of steps, on one thread.

Matrices learn by Muon, everything else by AdamW, both rates falling linearly to zero. The data depend on the seed alone;
the weights also on the machine's arithmetic, so the scores carry a spread.
"""

import hashlib
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rdiverse.nano.batches import BATCH, batches, corpus_digest
from rdiverse.nano.benchmark import benchmark_text, make_benchmark
from rdiverse.nano.model import model_config
from rdiverse.nano.scores import as_record, measure
from rdiverse.nano.tokenizer import build_tokenizer

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM

RECIPE = "recipe.json"
SEED = 0
"""Seed of the shipped base model."""
STEPS = 1500
MUON_RATE = 0.02
ADAM_RATE = 4e-3


def pretrain(
    out: Path, seed: int = SEED, steps: int = STEPS, on_step: Callable[[int, float], None] | None = None
) -> dict[str, Any]:
    """Pre-train, score and write a checkpoint into the new folder `out`; return its recipe, as `recipe.json` holds it.

    `on_step` hears the number of each finished step and its loss. Raises FileExistsError when `out` holds anything.
    """
    import torch
    import transformers

    if out.exists() and any(out.iterdir()):
        raise FileExistsError(f"{out}: is not empty")
    started = time.process_time()
    model = train(seed, steps, on_step)
    seconds = time.process_time() - started
    tokenizer = build_tokenizer()
    out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    questions = list(make_benchmark())
    scores = measure(model, tokenizer, questions)
    recipe = {
        "seed": seed,
        "steps": steps,
        "texts_per_step": BATCH,
        "data_sha256": corpus_digest(seed, steps),
        "benchmark_sha256": hashlib.sha256(benchmark_text().encode()).hexdigest(),
        "weights_sha256": hashlib.sha256((out / "model.safetensors").read_bytes()).hexdigest(),
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "cpu_seconds": round(seconds, 1),
        "scores": as_record(scores),
        "spread": {
            name: round(_spread(share, len(questions)), 4)
            for name, share in (("greedy", scores.greedy), ("sampled", scores.sampled))
        },
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
    (out / RECIPE).write_text(json.dumps(recipe, indent=2) + "\n", encoding="utf-8")
    return recipe


def train(seed: int, steps: int, on_step: Callable[[int, float], None] | None = None) -> "LlamaForCausalLM":
    """Pre-train from scratch; `on_step` hears the number of each finished step and its loss."""
    import torch
    from transformers import LlamaForCausalLM

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    model: LlamaForCausalLM = LlamaForCausalLM(model_config())  # type: ignore[no-untyped-call]
    matrices = [weight for name, weight in model.named_parameters() if weight.ndim == 2 and "embed" not in name]
    rest = [weight for name, weight in model.named_parameters() if weight.ndim != 2 or "embed" in name]
    optimizers = [
        torch.optim.Muon(matrices, lr=MUON_RATE, momentum=0.95, weight_decay=0.0),
        torch.optim.AdamW(rest, lr=ADAM_RATE, betas=(0.9, 0.95), weight_decay=0.0),
    ]
    rates = [MUON_RATE, ADAM_RATE]
    model.train()
    for step, (tokens, learned) in enumerate(batches(seed, steps)):
        for optimizer, rate in zip(optimizers, rates, strict=True):
            optimizer.param_groups[0]["lr"] = rate * min(1.0, (step + 1) / 50) * (1 - step / steps)
        loss = _loss(model, tokens, learned)
        loss.backward()  # type: ignore[no-untyped-call]
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        if on_step:
            on_step(step + 1, loss.item())
    model.eval()  # type: ignore[no-untyped-call]
    return model


def _loss(model: "LlamaForCausalLM", tokens: "torch.Tensor", learned: "torch.Tensor") -> "torch.Tensor":
    """Mean cross-entropy of the learned tokens; tokens and learned are [rows, length], padded on the right."""
    from torch.nn.functional import cross_entropy

    # Padding stands right of everything that is learned, so causal attention needs no mask.
    hidden = model.model(input_ids=tokens[:, :-1]).last_hidden_state
    wanted = learned[:, 1:]
    return cross_entropy(model.lm_head(hidden[wanted]), tokens[:, 1:][wanted])


def _spread(share: float, questions: int) -> float:
    """Standard error of a share over independent questions."""
    return math.sqrt(share * (1 - share) / questions)
