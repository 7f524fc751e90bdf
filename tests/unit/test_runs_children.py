"""Children end when they are asked to, and are killed when they do not listen."""

import subprocess
import sys
import time

from rdiverse.runs.children import stop

DEAF = "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
LISTENING = "import time; print('ready', flush=True); time.sleep(60)"


def child(code: str) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_whoever_listens_ends_by_itself_and_the_others_are_killed_in_time() -> None:
    ended = child("print('ready', flush=True)")
    ended.wait()
    children = [ended, child(LISTENING), child(DEAF), child(DEAF)]
    began = time.monotonic()
    stop(children, 0.5)
    assert time.monotonic() - began < 10, "they share the time"
    assert [process.returncode for process in children] == [0, -15, -9, -9]
