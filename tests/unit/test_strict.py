"""What a skip means: named in the summary, and a failure under RDIVERSE_STRICT alone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("variables", "status", "summary"),
    [
        ({}, 0, "SKIPPED test_one.py::test_skips"),
        ({"CI": "true"}, 0, "SKIPPED test_one.py::test_skips"),
        ({"RDIVERSE_STRICT": "1"}, 1, "FAILED test_one.py::test_skips"),
    ],
)
def test_a_skip_fails_only_where_strictness_is_asked_for(
    variables: dict[str, str], status: int, summary: str, tmp_path: Path
) -> None:
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "test_one.py").write_text("import pytest\n\ndef test_skips():\n    pytest.skip('nothing to test with')\n")
    given = {name: value for name, value in os.environ.items() if name not in {"CI", "RDIVERSE_STRICT"}} | variables
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "test_one.py"]
    done = subprocess.run(command, cwd=tmp_path, env=given, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == status, done.stdout + done.stderr
    assert summary in done.stdout
    assert ("1 skipped" in done.stdout) is (status == 0)
