"""Files of one JSON object a line, to which processes append; a full disk or a kill may leave half a line in them."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def append_line(path: Path, entry: Mapping[str, Any]) -> None:
    """Append an object on a line of its own, so that several processes may share the file.

    Raises OSError when the disk is full, and ValueError for a number that is none.
    """
    line = (json.dumps(entry, ensure_ascii=False, allow_nan=False) + "\n").encode()
    with path.open("a+b", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        # Half a line that was left must not take this one with it.
        if size and os.pread(file.fileno(), 1, size - 1) != b"\n":
            line = b"\n" + line
        written = file.write(line)
        if written < len(line):
            file.write(line[written:])  # raises what stopped the first


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a file; none where there is no file. What is no whole line is left out: it never was an entry."""
    lines = path.read_bytes().splitlines(keepends=True) if path.is_file() else []
    found = (parsed(line) for line in lines)
    return [entry for entry in found if entry is not None]


def parsed(line: bytes) -> dict[str, Any] | None:
    """The object of a line; None for half a line."""
    try:
        entry = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None
