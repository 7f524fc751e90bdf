"""From a directory to a model that has been tried."""

import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers

from rdiverse.config import EngineConfig
from rdiverse.lm.decoding import BrokenModelError, Row, decode
from rdiverse.lm.embedding import embed
from rdiverse.lm.folders import check_same_shape, generation_ends, longest_context, model_folder, text_config
from rdiverse.lm.library import AutoModel, AutoModelForCausalLM
from rdiverse.lm.sampling_params import SamplingParams
from rdiverse.lm.tokenizer import Tokens
from rdiverse.lm.weights import CheckpointError, validate
from rdiverse.selfplay.prompts import RenderedPrompt

log = logging.getLogger(__name__)

_CANARY = "1 + 1 ="


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
    if like is not None:
        check_same_shape(folder, like.model.config.get_text_config(decoder=True))
    model = _read_weights(folder, getattr(torch, config.dtype), embeds=embeds)
    text = text_config(folder)
    tokens = like.tokens if like else Tokens(folder)
    loaded = LoadedModel(
        model=model,
        tokens=tokens,
        version=version,
        max_model_len=min(config.max_model_len, longest_context(text) or config.max_model_len),
        eos=tuple(tokens.eos(text, generation_ends(folder))),
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
