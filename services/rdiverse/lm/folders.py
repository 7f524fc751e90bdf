"""Where a model's directory is: in place, in a package, or on the hub. Importable where torch and transformers may not be."""

from pathlib import Path

from rdiverse.lm.weights import CheckpointError, resolve_resource

_FILES = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]
"""What a model needs of its directory on the hub: no second format of its weights, no code."""


def model_folder(source: str, cache: Path | None = None) -> Path:
    """The local directory of a model: a directory, pkg:<package>/<path>, or a hub id, which is downloaded.

    `cache`: where downloads are kept; by default the user's cache. Raises CheckpointError.
    """
    resolved = resolve_resource(source)
    if Path(resolved).exists() or resolved.startswith((".", "/", "~")):
        return Path(resolved)
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(resolved, cache_dir=cache, allow_patterns=_FILES))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{source}: is no model directory and cannot be fetched from the hub: {error}") from error
