"""The parent's side of one grading process."""

import json
import os
import selectors
import subprocess
import sys
import time
from typing import IO, Any, cast

START_SECONDS = 120.0
"""A process that is not ready by then ends the check with an error; importing sympy takes one to ten seconds."""
WALL_FACTOR = 2
"""A question may take this many times its CPU-seconds on the clock: answers must not depend on how busy a machine is."""


class WorkerTimeoutError(RuntimeError):
    """The process did not answer in time, or died over the question (out of memory, for one)."""


class Worker:
    """A process that answers one question at a time. Not thread-safe."""

    def __init__(self, *kinds: str) -> None:
        """Start a process; `kinds` are the questions whose libraries it loads at once."""
        self._process = subprocess.Popen(  # noqa: S603  nothing of an answer is on the command line
            [sys.executable, "-m", "rdiverse.grading.worker", *kinds],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"},
        )
        self._questions = cast("IO[bytes]", self._process.stdin)
        self._answers = cast("IO[bytes]", self._process.stdout)
        self._has_answered = False
        self._buffer = b""

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def ask(self, kind: str, a: Any, b: Any, seconds: float) -> bool:
        """Put a question, to be answered in so many seconds of CPU and twice as many on the clock.

        The time until the process and its library have started is not counted.

        Raises:
            WorkerTimeoutError: there was no answer in time; the worker is of no use then.
            RuntimeError: the process did not start.
        """
        try:
            self._questions.write(json.dumps([kind, a, b, seconds, seconds * WALL_FACTOR]).encode() + b"\n")
        except BrokenPipeError as error:
            raise WorkerTimeoutError("the process has ended") from error
        try:
            self._line(START_SECONDS)
        except WorkerTimeoutError as error:
            if self._has_answered:
                raise
            raise RuntimeError("a grading process cannot start: try `python -m rdiverse.grading.worker`") from error
        self._has_answered = True
        return self._line(seconds * WALL_FACTOR) == b"1"

    def end(self) -> None:
        """Kill the process and wait for it, so that no zombie is left."""
        self._process.kill()
        self._process.wait()
        self._questions.close()
        self._answers.close()

    def _line(self, seconds: float) -> bytes:
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self._answers, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                left = deadline - time.monotonic()
                if left <= 0 or not selector.select(left):
                    raise WorkerTimeoutError("no answer in time")
                chunk = os.read(self._answers.fileno(), 65_536)
                if not chunk:
                    raise WorkerTimeoutError("the process has ended")
                self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line
