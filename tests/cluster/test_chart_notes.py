"""What the chart tells whoever has installed it: its commands are understood."""

import shlex
import subprocess
import sys
from pathlib import Path

from manifests.rendering.chart import profile_values, render_files


def test_every_command_of_ours_in_the_notes_runs(tmp_path: Path) -> None:
    notes = render_files(profile_values("cpu"), "r1", "team-a")["rdiverse/templates/NOTES.txt"]
    commands = [line.strip() for line in notes.splitlines() if line.strip().startswith("rdiverse ")]
    assert any("pipeline compile" in command for command in commands)
    for command in commands:
        arguments = [sys.executable, "-m", "rdiverse.cli", *shlex.split(command)[1:]]
        done = subprocess.run(arguments, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
    assert (tmp_path / "rdiverse-3.yaml").is_file()
