"""What holds in every step."""

import os
from pathlib import Path

from rdiverse_pipelines.steps import in_step


def test_nobody_else_may_write_what_a_step_writes(tmp_path: Path) -> None:
    """Argo starts steps with umask 0."""
    before = os.umask(0)
    try:
        with in_step():
            (tmp_path / "folder").mkdir()
            (tmp_path / "file").touch()
    finally:
        os.umask(before)
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o775
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o664
