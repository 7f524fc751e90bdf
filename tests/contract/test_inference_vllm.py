"""The vLLM engine keeps the same contract as the transformers engine, for real, on a CPU."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_vllm_keeps_the_engines_contract():
    environment = os.environ.get("RDIVERSE_VLLM_ENVIRONMENT") or str(ROOT / "build" / "vllm")
    command = [
        str(ROOT / "tests" / "environments" / "vllm.sh"), environment,
        "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/contract/inference_vllm_suite.py",
    ]  # fmt: skip
    assert subprocess.run(command, cwd=ROOT, timeout=1700, check=False).returncode == 0
