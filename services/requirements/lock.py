"""Resolve what each image installs: `python services/requirements/lock.py` with `uv` on the PATH. Writes <image>.txt."""

# ruff: noqa: INP001  a tool, no part of a package

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
PYTHON, PLATFORM = "3.11", "x86_64-manylinux_2_28"
"""Of the images."""
ONLY_FOR_GPUS = re.compile(r"(torch|triton|(nvidia|cuda)-.*)$")
"""torch itself, whose builds for CPUs are no public release of the same index, and what only its builds for GPUs need."""
TORCH_CPU = FOLDER / "torch-cpu.txt"
BUILD = "build"
"""Not an image: what builds the project's own wheel."""


def images() -> dict[str, dict[str, Any]]:
    """Image -> what images.toml says of it."""
    return tomllib.loads((FOLDER / "images.toml").read_text(encoding="utf-8"))


def requirements(image: str) -> list[str]:
    """What the image asks for by itself, sorted: of pyproject.toml, with the extras' extras opened up."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    if image == BUILD:
        return sorted(pyproject["build-system"]["requires"])
    project = pyproject["project"]
    found, extras = set(project["dependencies"]), list(images()[image]["extras"])
    while extras:
        for requirement in project["optional-dependencies"][extras.pop()]:
            own = re.fullmatch(rf"{project['name']}\[(.+)\]", requirement)
            if own:
                extras += own[1].split(",")
            else:
                found.add(requirement)
    return sorted(found)


def inputs_digest(image: str) -> str:
    """Names what a lock was resolved from, apart from constraints.txt, with which its pins are compared one by one."""
    inputs = [requirements(image), images().get(image, {}), PYTHON, PLATFORM]
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def header(image: str) -> str:
    """The first lines of a lock."""
    return (
        f"# Locked for the image `{image}`: Python {PYTHON}, {PLATFORM}. Made by `make locks`, not by hand.\n"
        f"# inputs: {inputs_digest(image)}\n"
    )


def pins(lock: str) -> dict[str, str]:
    """Package -> its lines in a lock: one with the version, the rest with digests of its files."""
    blocks = re.split(r"^(?=[A-Za-z0-9])", re.sub(r"^\s*#.*\n", "", lock, flags=re.MULTILINE), flags=re.MULTILINE)
    return {re.split(r"[=\s;]", block, maxsplit=1)[0]: block for block in blocks if block.strip()}


def resolve(image: str) -> dict[str, str]:
    """Ask the package index for a set of versions that fits. Raises CalledProcessError."""
    free = images().get(image, {}).get("unconstrained", [])
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines(keepends=True)
    with tempfile.TemporaryDirectory() as folder:
        wanted, bounds, lock = (Path(folder) / name for name in ("requirements.in", "constraints.txt", "lock.txt"))
        wanted.write_text("\n".join(requirements(image)), encoding="utf-8")
        bounds.write_text("".join(line for line in lines if line.partition("==")[0] not in free), encoding="utf-8")
        command = ["uv", "pip", "compile", "--quiet", "--no-annotate", "--no-header", "--generate-hashes"]
        command += ["--python-version", PYTHON, "--python-platform", PLATFORM]
        # Wheels that lie about on this machine must not get into the locks.
        environment = {name: value for name, value in os.environ.items() if name != "UV_FIND_LINKS"}
        subprocess.run([*command, "-c", str(bounds), "-o", str(lock), str(wanted)], check=True, env=environment)  # noqa: S603
        return pins(lock.read_text(encoding="utf-8"))


def main() -> None:
    """Write every lock."""
    for image in [BUILD, *images()]:
        resolved = resolve(image)
        if image != BUILD and not images()[image].get("cuda"):
            torch = resolved.get("torch", "")
            if torch:
                version = torch.split()[0]
                TORCH_CPU.write_text(
                    f"# Installed before the other locks of images without CUDA. Made by `make locks`.\n{version}\n"
                )
            resolved = {name: block for name, block in resolved.items() if not ONLY_FOR_GPUS.match(name)}
        (FOLDER / f"{image}.txt").write_text(header(image) + "".join(resolved.values()), encoding="utf-8")
        sys.stderr.write(f"{image}: {len(resolved)} packages\n")


if __name__ == "__main__":
    main()
