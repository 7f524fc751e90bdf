"""What a model's directory says of its shape, looked into without loading it."""

from pathlib import Path
from typing import Any

from rdiverse.lm.weights import CheckpointError, weight_files

_SHAPE_FIELDS = ("model_type", "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")


def text_config(folder: Path) -> Any:
    """The configuration of a directory's language model. Raises CheckpointError."""
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True).get_text_config(decoder=True)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{folder / 'config.json'}: cannot be read: {error}") from error


def longest_context(text: Any) -> int | None:
    """Positions that a model knows, in tokens; None when it does not say."""
    longest = getattr(text, "max_position_embeddings", None)
    return int(longest) if longest else None


def generation_ends(folder: Path) -> Any:
    """The generation configuration of a directory, for its end-of-sequence tokens; None when it has none."""
    from transformers import GenerationConfig

    return GenerationConfig.from_pretrained(folder) if (folder / "generation_config.json").is_file() else None


def check_same_shape(folder: Path, present: Any) -> None:
    """Check that a checkpoint has the shape of the model that it is to replace, given by its configuration.

    Raises CheckpointError.
    """
    new = text_config(folder)
    for field in _SHAPE_FIELDS:
        before, now = getattr(present, field, None), getattr(new, field, None)
        if before != now:
            raise CheckpointError(f"{folder}: {field} is {now}, the model served here has {before}")


def check_tensors(folder: Path, wanted: dict[str, list[int]]) -> None:
    """Check, from the headers of its files, that a checkpoint has tensors of these shapes. Raises CheckpointError."""
    found = tensor_shapes(folder)
    for name, shape in wanted.items():
        if name not in found:
            raise CheckpointError(f"{folder}: the tensor {name} is missing")
        if found[name] != shape:
            raise CheckpointError(f"{folder}: the tensor {name} has the shape {found[name]}, not {shape}")


def tensor_shapes(folder: Path) -> dict[str, list[int]]:
    """Shapes of a checkpoint's tensors by name, from the headers of its files. Raises CheckpointError."""
    from safetensors import SafetensorError, safe_open

    shapes: dict[str, list[int]] = {}
    for name in weight_files(folder):
        try:
            with safe_open(folder / name, framework="np") as tensors:
                shapes |= {tensor: tensors.get_slice(tensor).get_shape() for tensor in tensors.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise CheckpointError(f"{folder / name}: cannot be read (truncated or altered): {error}") from error
    return shapes
