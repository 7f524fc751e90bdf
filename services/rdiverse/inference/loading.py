"""From a directory to a model that has been tried."""

import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoModel, AutoModelForCausalLM, GenerationConfig

from rdiverse.config import EngineConfig
from rdiverse.inference.decoding import BrokenModelError, Row, decode
from rdiverse.inference.embedding import embed
from rdiverse.inference.engine import SamplingParams
from rdiverse.inference.tokens import Tokens
from rdiverse.runs.weights import CheckpointError, resolve_resource, validate
from rdiverse.selfplay.prompts import RenderedPrompt

log = logging.getLogger(__name__)

_CANARY = "1 + 1 ="
_SHAPE_FIELDS = ("model_type", "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")


@dataclass(frozen=True)
class LoadedModel:
    """A model, its tokenizer and what is known of them."""

    model: Any
    tokens: Tokens
    version: str
    max_model_len: int
    eos: tuple[int, ...]
    dimension: int
    """Width of the hidden states."""


def load_model(source: str, config: EngineConfig, *, embeds: bool, like: LoadedModel | None = None) -> LoadedModel:
    """Load a model directory, hub id or pkg: resource, and try it.

    `like`: the model that it replaces, whose shape it must have and whose tokenizer stays. Raises CheckpointError.
    """
    torch.set_num_threads(config.threads)
    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    folder = model_folder(source)
    version = validate(folder)
    model = _read_weights(folder, getattr(torch, config.dtype), embeds=embeds)
    if like is not None:
        _same_shape(folder, like.model.config, model.config)
    text_config = model.config.get_text_config(decoder=True)
    longest = getattr(text_config, "max_position_embeddings", None) or config.max_model_len
    tokens = like.tokens if like else Tokens(folder)
    generation = GenerationConfig.from_pretrained(folder) if (folder / "generation_config.json").is_file() else None
    loaded = LoadedModel(
        model=model,
        tokens=tokens,
        version=version,
        max_model_len=min(config.max_model_len, longest),
        eos=tuple(tokens.eos(text_config, generation)),
        dimension=text_config.hidden_size,
    )
    _try(loaded, folder, embeds=embeds)
    return loaded


def model_folder(source: str) -> Path:
    """The local directory of a model; a hub id is downloaded. Raises CheckpointError."""
    resolved = resolve_resource(source)
    if Path(resolved).exists() or resolved.startswith((".", "/")):
        return Path(resolved)
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(resolved, allow_patterns=["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{source}: is no model directory and cannot be fetched from the hub: {error}") from error


def _read_weights(folder: Path, dtype: torch.dtype, *, embeds: bool) -> Any:
    auto: Any = AutoModel if embeds else AutoModelForCausalLM
    try:
        model, found = auto.from_pretrained(folder, dtype=dtype, local_files_only=True, output_loading_info=True)
    except Exception as error:  # the library raises many kinds for files that are not what they say
        raise CheckpointError(f"{folder}: cannot be loaded: {error}") from error
    # The library fills what is missing with random numbers and goes on.
    for fault in ("missing_keys", "mismatched_keys", "error_msgs"):
        if found.get(fault):
            raise CheckpointError(f"{folder}: {fault.replace('_', ' ')}: {sorted(map(str, found[fault]))[:5]}")
    return model.eval().requires_grad_(requires_grad=False)


def _same_shape(folder: Path, old: Any, new: Any) -> None:
    for field in _SHAPE_FIELDS:
        before, now = getattr(old, field, None), getattr(new, field, None)
        if before != now:
            raise CheckpointError(f"{folder}: {field} is {now}, the model served here has {before}")


def _try(loaded: LoadedModel, folder: Path, *, embeds: bool) -> None:
    """Canary: a model whose numbers are not numbers must not serve."""
    try:
        if embeds:
            vector = embed(loaded.model, loaded.tokens.encode_texts([_CANARY]), 1)[0]
            if not math.isclose(float((vector**2).sum()), 1.0, rel_tol=1e-3):
                raise BrokenModelError("the model's vectors are not numbers")
            return
        [prompt] = loaded.tokens.encode([RenderedPrompt("", _CANARY)])
        row = Row(0, SamplingParams(temperature=0), 0, 0, 0, limit=4, cancelled=lambda: False)
        decode(loaded.model, [prompt], [row], loaded.eos, lambda _row, _tokens: False, lambda _rows: None)
    except (RuntimeError, IndexError, ValueError) as error:
        raise CheckpointError(f"{folder}: does not pass a trial generation: {error}") from error
