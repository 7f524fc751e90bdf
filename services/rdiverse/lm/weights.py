"""Checkpoints as directories with a digest manifest: published whole, validated before use, named by content.

Importable where torch may not be.
"""

import hashlib
import importlib.resources
import json
import shutil
from collections.abc import Callable
from pathlib import Path

from rdiverse.runs.files import file_digest, flush_folder, write_json

MANIFEST = "weights.json"
PACKAGE_SCHEME = "pkg:"


class CheckpointError(ValueError):
    """A directory is no complete, unaltered checkpoint; the text names the file and the fault."""


def resolve_resource(name: str) -> str:
    """Turn `pkg:<package>/<path>` into a path of the installed package; anything else is returned as it is.

    Raises CheckpointError when the package or the path does not exist.
    """
    if not name.startswith(PACKAGE_SCHEME):
        return name
    package, _, path = name.removeprefix(PACKAGE_SCHEME).partition("/")
    try:
        found = Path(str(importlib.resources.files(package))) / path
    except (ImportError, ValueError) as error:
        raise CheckpointError(f"{name}: there is no Python package {package!r}") from error
    if not found.exists():
        raise CheckpointError(f"{name}: {found} does not exist")
    return str(found)


def publish(folder: Path, write: Callable[[Path], None]) -> str:
    """Let `write` fill a directory, add its manifest and rename it to `folder`. Returns the version.

    A directory already at `folder` is replaced; one that was being written when the process died is swept.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    write(aside)
    digests = {path.relative_to(aside).as_posix(): file_digest(path) for path in sorted(aside.rglob("*")) if path.is_file()}
    version = _version(digests)
    write_json(aside / MANIFEST, {"version": version, "files": digests})
    if folder.exists():
        shutil.rmtree(folder)
    aside.rename(folder)
    flush_folder(folder.parent)
    return version


def validate(folder: Path) -> str:
    """Check a checkpoint directory before anything loads it. Returns its version.

    Checks: a config.json, safetensors weights with every shard that the index names, and, where there is a manifest,
    every digest. Raises CheckpointError.
    """
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: is not a directory")
    if not (folder / "config.json").is_file():
        raise CheckpointError(f"{folder}: is not a model directory: config.json is missing")
    for name in weight_files(folder):
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder / name}: is missing")
    check_manifest(folder)
    return weights_version(folder)


def check_manifest(folder: Path) -> None:
    """Check every digest that a directory's manifest names, where there is one. Raises CheckpointError."""
    if not (folder / MANIFEST).is_file():
        return
    digests: dict[str, str] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
    for name, digest in digests.items():
        path = folder / name
        if not path.is_file():
            raise CheckpointError(f"{path}: is missing")
        if file_digest(path) != digest:
            raise CheckpointError(f"{path}: its content is not what was published (truncated or altered)")


def weights_version(folder: Path) -> str:
    """The version of a checkpoint directory: from its manifest, else from the digests of its files."""
    return folder_version(folder, lambda: ["config.json", *weight_files(folder)])


def folder_version(folder: Path, names: Callable[[], list[str]]) -> str:
    """The version of a directory: from its manifest, else from the digests of the files that are named."""
    if (folder / MANIFEST).is_file():
        return str(json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["version"])
    return _version({name: file_digest(folder / name) for name in names()})


def weight_files(folder: Path) -> list[str]:
    """Names of the files that hold a checkpoint's tensors, by its index where it has one. Raises CheckpointError."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            weight_map: dict[str, str] = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        except (json.JSONDecodeError, KeyError) as error:
            raise CheckpointError(f"{index}: is not a safetensors index") from error
        return sorted(set(weight_map.values()))
    return ["model.safetensors"]


def _version(digests: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()[:16]
