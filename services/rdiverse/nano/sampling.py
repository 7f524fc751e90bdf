"""Draws completions from the base model, for the recipe's own scores; the loop's servers have engines of their own."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

ROWS = 256
"""Sequences decoded together."""


def complete(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerFast",
    prompts: Sequence[str],
    max_tokens: int,
    *,
    seed: int = 0,
    greedy: bool = False,
    top_p: float = 1.0,
) -> list[str]:
    """One completion per prompt, in their order, at temperature 1 unless greedy; stops at `<eos>` or after `max_tokens`."""
    import torch

    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
    texts = [""] * len(prompts)
    torch.manual_seed(seed)
    choice = {"do_sample": False} if greedy else {"do_sample": True, "temperature": 1.0, "top_p": top_p, "top_k": 0}
    for start in range(0, len(order), ROWS):
        rows = order[start : start + ROWS]
        batch = tokenizer([prompts[index] for index in rows], return_tensors="pt", padding=True)
        with torch.inference_mode():
            output = model.generate(  # type: ignore[operator]  # declared as a module's attribute
                input_ids=batch["input_ids"],
                attention_mask=batch["attention_mask"],
                max_new_tokens=max_tokens,
                pad_token_id=tokenizer.pad_token_id,
                eos_token_id=tokenizer.eos_token_id,
                **choice,
            )
        decoded = tokenizer.batch_decode(output[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
        for index, text in zip(rows, decoded, strict=True):
            texts[index] = text
    return texts
