"""Tiny, randomly initialised models with a tokenizer of their own, and phases that train them."""

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from rdiverse.config import dump_config, load_config
from rdiverse.runs.files import written_aside
from rdiverse.runs.tables import DATASET, write_table
from rdiverse.selfplay.roles import Role
from rdiverse.training.launch.phase import Phase

torch.set_num_threads(1)  # as the launcher has it: more cost these models far more than they bring

WORDS = [
    "<pad>",
    "<eos>",
    "<unk>",
    "<solver>",
    "<challenger>",
    "<question>",
    "</question>",
    "\\boxed{",
    "}",
    "user",
    "system",
    ":",
]
WORDS += [str(number) for number in range(20)] + ["plus", "minus", "what", "is", "a", "b", "c", "?"]
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }} : {{ message['content'] }} {% endfor %}"
    "{% if add_generation_prompt %}<solver>{% endif %}"
)


KINDS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "qwen3": (Qwen3Config, Qwen3ForCausalLM, {}),
    "llama": (LlamaConfig, LlamaForCausalLM, {}),
    "gemma3": (
        Gemma3TextConfig, Gemma3ForCausalLM,
        {"sliding_window": 8, "layer_types": ["sliding_attention", "full_attention"], "query_pre_attn_scalar": 16},
    ),
}  # fmt: skip


def write_model(folder: Path, chat_template: bool = False, pad_token: bool = True, seed: int = 0, kind: str = "qwen3") -> Path:
    """A model directory of some 20,000 parameters."""
    torch.manual_seed(seed)
    make_config, make_model, more = KINDS[kind]
    config = make_config(
        vocab_size=len(WORDS), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=16, max_position_embeddings=256, tie_word_embeddings=True,
        pad_token_id=0, eos_token_id=1, bos_token_id=None, **more,
    )  # fmt: skip
    model = make_model(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.3)  # far from uniform, so that rollouts differ between prompts
    model.save_pretrained(folder)
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<eos>", unk_token="<unk>", **({"pad_token": "<pad>"} if pad_token else {})
    )
    if chat_template:
        fast.chat_template = CHAT_TEMPLATE
    fast.save_pretrained(folder)
    return folder


TRAINING: dict[str, Any] = {
    "steps": 3, "prompts_per_step": 4, "group_size": 4, "updates_per_step": 1, "rows_per_forward": 16, "learning_rate": 1e-3,
    "dtype": "float32", "gradient_checkpointing": False, "sampling": {"max_tokens": 12, "top_p": 0.99}, "max_prompt_tokens": 64,
    "trackers": [],
}  # fmt: skip


def write_phase(folder: Path, model: Path, role: Role = Role.SOLVER, seed: int = 0, **training: Any) -> Phase:
    """A Solver's phase on ten small questions, or a Challenger's, with everything under `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    values = {"training": TRAINING | training}
    config = load_config(
        None,
        model=str(model),
        inference={"engine": "transformers", "dtype": "float32"},
        prompts={
            "challenger": {"user": "<challenger>"},
            "solver": {"user": "<solver> {question}"},
            "coder": {"user": "{question}"},
        },
        challenger=values,
        solver=values,
    )
    with written_aside(folder / "config.yaml") as aside:  # two ranks may write it at once
        aside.write_text(dump_config(config))
    rows = [
        {"question": f"what is {n} plus 1 ?", "answer": str(n % 3), "source": "new", "iteration": 1, "share": 0.5}
        for n in range(10)
    ]
    write_table(folder / "dataset.parquet", DATASET, rows)
    return Phase(
        role=role, iteration=1, config_path=folder / "config.yaml", model=model, output=folder / "weights",
        resume_dir=folder / "resume", log_path=folder / "log.txt", metrics_path=folder / "metrics.jsonl",
        events_path=folder / "events.jsonl", seed=seed, run="r", dataset=folder / "dataset.parquet",
    )  # fmt: skip


def metric_rows(phase: Phase) -> list[dict[str, Any]]:
    """What the phase has written to metrics.jsonl."""
    return [json.loads(line) for line in phase.metrics_path.read_text().splitlines()]
