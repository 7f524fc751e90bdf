"""LoRA adapters, served as what they amount to: the weights of the server's own model with the adapter's added in.

Merged weights go the way of any checkpoint, through the same checks, trial and roll-back, and cost nothing at inference.
They are computed file by file and kept in a temporary directory as long as they may be needed again. Importable where torch
may not be.
"""

import json
import math
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rdiverse.lm.weights import MANIFEST, CheckpointError, check_manifest, folder_version, validate, weight_files
from rdiverse.runs.files import write_json

if TYPE_CHECKING:
    import torch

    Pairs = dict[str, tuple[torch.Tensor, torch.Tensor]]
    """A (rank, in) and B (out, rank) by layer; a layer's name without "model." and ".weight"."""

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
PREFIX = "base_model.model."
"""What peft puts before a model's own names."""
_A, _B = ".lora_A.weight", ".lora_B.weight"
_UNKNOWN = ("use_dora", "fan_in_fan_out", "modules_to_save", "rank_pattern", "alpha_pattern", "layer_replication", "lora_bias")
"""Settings of peft that change what an adapter means beyond W + scale * B A."""


def checked_version(folder: Path, expected: str = "") -> str:
    """Check a checkpoint or adapter directory before anything loads it. Returns its version.

    Raises CheckpointError, also when it is another version than `expected`, unless that is empty.
    """
    if not (folder / CONFIG).is_file():
        found = validate(folder)
    elif not (folder / WEIGHTS).is_file():
        raise CheckpointError(f"{folder / WEIGHTS}: is missing")
    else:
        check_manifest(folder)
        found = folder_version(folder, lambda: [CONFIG, WEIGHTS])
    if expected and found != expected:
        raise CheckpointError(f"{folder}: is version {found}, not {expected}")
    return found


class Checkpoints:
    """Gives full checkpoints for whatever a server is asked to load."""

    def __init__(self) -> None:
        self._scratch: tempfile.TemporaryDirectory[str] | None = None

    def full(self, folder: Path, version: str, base: Path) -> Path:
        """The directory itself, or that of an adapter's weights merged into those of `base`. Raises CheckpointError."""
        if not (folder / CONFIG).is_file():
            return folder
        if self._scratch is None:
            self._scratch = tempfile.TemporaryDirectory(prefix="rdiverse-adapters-")
        merged = Path(self._scratch.name) / version
        shutil.rmtree(merged, ignore_errors=True)  # left by an attempt that failed
        _merge_files(folder, base, merged)
        write_json(merged / MANIFEST, {"version": version, "files": {}})
        return merged

    def keep(self, folder: Path) -> None:
        """Remove all merged weights but these."""
        if self._scratch is not None:
            for path in Path(self._scratch.name).iterdir():
                if path != folder:
                    shutil.rmtree(path)

    def close(self) -> None:
        """Remove all merged weights."""
        if self._scratch is not None:
            self._scratch.cleanup()
            self._scratch = None


def pairs_of(tensors: "dict[str, torch.Tensor]", adapter: str) -> "Pairs":
    """The pairs in an adapter's tensors, named as peft saves them. Raises CheckpointError naming `adapter`."""
    left, pairs = dict(tensors), {}
    for name in tensors:
        layer = name.removesuffix(_A)
        if name.endswith(_A) and layer + _B in tensors:
            own = layer.removeprefix(PREFIX).removeprefix("model.")
            pairs[own] = (left.pop(name), left.pop(layer + _B))
    if left or not tensors:
        raise CheckpointError(f"{adapter}: holds {min(left, default='nothing')}, which is no half of a LoRA pair")
    return pairs


def merge(weights: "dict[str, torch.Tensor]", pairs: "Pairs", alpha: float, adapter: str, *, rslora: bool = False) -> None:
    """Replace each weight that has an adapter by W + alpha / rank * B A (LoRA, arXiv 2106.09685, section 4.1).

    `weights` by parameter name. Pairs that found their layer are taken out of `pairs`. Computed in float32, left in the
    weight's dtype. `rslora`: divide by the rank's root (arXiv 2312.03732). Raises CheckpointError naming `adapter`.
    """
    for name, weight in weights.items():
        layer = name.removesuffix(".weight").removeprefix("model.")
        if layer not in pairs:
            continue
        a, b = pairs.pop(layer)
        if b.ndim != 2 or a.ndim != 2 or b.shape[1] != a.shape[0] or (b.shape[0], a.shape[1]) != tuple(weight.shape):
            shapes = f"{list(b.shape)} x {list(a.shape)}"
            raise CheckpointError(f"{adapter}: {layer}: the adapter has the shape {shapes}, the layer {list(weight.shape)}")
        scale = alpha / (math.sqrt(len(a)) if rslora else len(a))
        weights[name] = (weight.float() + scale * (b.float() @ a.float())).to(weight.dtype)


def _merge_files(adapter: Path, base: Path, into: Path) -> None:
    """Write `base` with an adapter merged in, file by file."""
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load_file, save_file

    config = _config(adapter)
    try:
        pairs = pairs_of(load_file(adapter / WEIGHTS), str(adapter / WEIGHTS))
        into.mkdir(parents=True)
        for path in base.glob("*.json"):
            shutil.copy(path, into)
        for name in weight_files(base):
            with safe_open(base / name, framework="pt") as tensors:
                weights = {key: tensors.get_tensor(key) for key in tensors.keys()}  # noqa: SIM118
            merge(weights, pairs, config["lora_alpha"], str(adapter), rslora=bool(config.get("use_rslora")))
            save_file(weights, into / name, {"format": "pt"})
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{adapter}: cannot be read (truncated or altered): {error}") from error
    if pairs:
        raise CheckpointError(f"{adapter}: the model served here has no layer {min(pairs)}")


def _config(adapter: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads((adapter / CONFIG).read_text(encoding="utf-8"))
        known = config["peft_type"] == "LORA" and config["lora_alpha"] > 0
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{adapter / CONFIG}: is no adapter's configuration: {error!r}") from error
    unknown = [name for name in _UNKNOWN if config.get(name)] + ["bias"] * (config.get("bias", "none") != "none")
    if not known or unknown:
        what = ", ".join(unknown) or config["peft_type"]
        raise CheckpointError(f"{adapter / CONFIG}: only plain LoRA of linear layers can be served, not {what}")
    return config
