"""The memory keeps its contract on a real Milvus, too."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_milvus_keeps_the_memorys_contract():
    command = [
        str(ROOT / "tests" / "environments" / "milvus.sh"), str(ROOT / "build" / "milvus"),
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
        "tests/contract/test_diversity_memory.py", "tests/contract/test_diversity_shared_store.py",
        "-k", "not in-memory and not milvus-lite",
    ]  # fmt: skip
    environment = os.environ | {"PYTHON": sys.executable}
    assert subprocess.run(command, cwd=ROOT, env=environment, timeout=1700, check=False).returncode == 0
