"""The vLLM engine keeps the same contract as the transformers engine, and serves the local loop, for real, on a CPU."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run_where_vllm_is(suite: str) -> int:
    environment = os.environ.get("RDIVERSE_VLLM_ENVIRONMENT") or str(ROOT / "build" / "vllm")
    command = [
        str(ROOT / "tests" / "environments" / "vllm.sh"), environment,
        "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", suite,
    ]  # fmt: skip
    return subprocess.run(command, cwd=ROOT, timeout=1700, check=False).returncode


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("suite", ["tests/contract/inference_vllm_suite.py", "tests/integration/run_vllm_suite.py"])
def test_vllm_keeps_the_engines_contract_and_serves_the_local_loop(suite: str):
    assert run_where_vllm_is(suite) == 0
