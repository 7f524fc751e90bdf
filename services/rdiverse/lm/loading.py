"""From a directory to a model that has been tried."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers

from rdiverse.config import EngineConfig
from rdiverse.lm import canary
from rdiverse.lm.completing import complete
from rdiverse.lm.embedding import embed
from rdiverse.lm.folders import model_folder
from rdiverse.lm.library import AutoModel, AutoModelForCausalLM
from rdiverse.lm.shapes import check_same_shape, generation_ends, longest_context, text_config
from rdiverse.lm.tokenizer import ChatTokenizer
from rdiverse.lm.weights import CheckpointError, validate

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadedModel:
    """A model, its tokenizer and what is known of them."""

    model: Any
    tokenizer: ChatTokenizer
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
    if like is not None:
        check_same_shape(folder, like.model.config.get_text_config(decoder=True))
    model = _read_weights(folder, getattr(torch, config.dtype), embeds=embeds)
    text = text_config(folder)
    tokenizer = like.tokenizer if like else ChatTokenizer(folder)
    loaded = LoadedModel(
        model=model,
        tokenizer=tokenizer,
        version=version,
        max_model_len=min(config.max_model_len, longest_context(text) or config.max_model_len),
        eos=tuple(tokenizer.eos(text, generation_ends(folder))),
        dimension=text.hidden_size,
    )
    _try(loaded, folder, embeds=embeds)
    return loaded


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


def _try(loaded: LoadedModel, folder: Path, *, embeds: bool) -> None:
    """The start-up check."""
    tokenizer = loaded.tokenizer
    try:
        if embeds:
            canary.check_vector(embed(loaded.model, tokenizer.encode_texts([canary.PROMPT.user]), 1)[0])
        else:
            complete(loaded.model, tokenizer.encode([canary.PROMPT]), canary.PARAMS, seed=0, eos=loaded.eos, max_rows=1)
    except (RuntimeError, IndexError, ValueError) as error:
        raise CheckpointError(f"{folder}: does not pass a trial generation: {error}") from error
