"""Files of one JSON object a line outlive a full disk."""

import subprocess
import sys
from pathlib import Path

import pytest

from rdiverse.runs.events import Event, EventLog, EventTail
from rdiverse.runs.lines import append_line, read_lines

FILL = """
import resource, sys
from pathlib import Path
from rdiverse.runs.lines import append_line
path = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, resource.RLIM_INFINITY))
append_line(path, {"step": "evaluate", "iteration": 7})
"""


def full_disk(path: Path) -> None:
    """Append with room for ten bytes more."""
    failed = subprocess.run([sys.executable, "-c", FILL, str(path)], capture_output=True, text=True, check=False)
    assert "OSError" in failed.stderr


def test_half_a_line_that_a_full_disk_left_is_no_entry_and_takes_no_other_with_it(tmp_path: Path):
    path = tmp_path / "cpu.jsonl"
    append_line(path, {"iteration": 1})
    full_disk(path)
    assert path.read_bytes()[-1:] != b"\n"
    assert read_lines(path) == [{"iteration": 1}]
    append_line(path, {"iteration": 2})
    append_line(path, {"iteration": 3})
    assert read_lines(path) == [{"iteration": 1}, {"iteration": 2}, {"iteration": 3}]


def test_progress_goes_on_after_a_full_disk(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    tail = EventTail(path)
    EventLog(path).write(Event("evaluate", 1, "start"))
    full_disk(path)
    assert [event.kind for event in tail] == ["start"]
    EventLog(path).write(Event("evaluate", 1, "end"))
    assert [event.kind for event in tail] == ["end"]


def test_no_file_has_no_lines_and_what_is_no_number_is_refused(tmp_path: Path):
    assert read_lines(tmp_path / "nothing") == []
    with pytest.raises(ValueError, match="not JSON compliant"):
        append_line(tmp_path / "x", {"loss": float("nan")})
    assert not (tmp_path / "x").exists()
