"""Ends child processes."""

import subprocess
import time
from collections.abc import Sequence


def stop(children: Sequence["subprocess.Popen[bytes]"], seconds: float) -> None:
    """Ask all to end, the last one first, and kill whoever has not within `seconds`, of all together."""
    for child in reversed(children):
        child.terminate()
    deadline = time.monotonic() + seconds
    for child in reversed(children):
        try:
            child.wait(max(deadline - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
