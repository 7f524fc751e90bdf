"""math-verify as R-Zero calls it, in a process that can be killed: `9**9**9**9+x` stops it for good."""

import json
import os
import selectors
import subprocess
import sys
import time
from types import TracebackType
from typing import IO, Self, cast

START_SECONDS = 120.0


class Verifier:
    """Asks one process, which is started at the first question and replaced when it does not answer in time."""

    def __init__(self, timeout: float = 5.0) -> None:
        self._timeout = timeout
        self._process: subprocess.Popen[bytes] | None = None
        self._known: dict[tuple[str, str], bool] = {}
        self.timeouts = 0
        """Questions that were not answered in time, or over which the process died; they count as no."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def equal(self, gold: str, answer: str) -> bool:
        """`verify(parse(gold), parse(answer))`. Raises RuntimeError when the process cannot be started."""
        if (gold, answer) not in self._known:
            self._known[gold, answer] = self._ask(gold, answer)
        return self._known[gold, answer]

    def close(self) -> None:
        """End the process."""
        if self._process:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                cast("IO[bytes]", pipe).close()
            self._process = None

    def _ask(self, gold: str, answer: str) -> bool:
        process = self._process or self._start()
        try:
            cast("IO[bytes]", process.stdin).write(json.dumps([gold, answer, self._timeout]).encode() + b"\n")
            return _line(process, self._timeout + 1) == b"1"
        except (TimeoutError, BrokenPipeError):
            self.timeouts += 1
            self.close()
            return False

    def _start(self) -> subprocess.Popen[bytes]:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "rdiverse.evaluation.verifier_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
        try:
            _line(self._process, START_SECONDS)
        except TimeoutError as error:
            self.close()
            raise RuntimeError("math-verify cannot be started: try `python -m rdiverse.evaluation.verifier_worker`") from error
        return self._process


def _line(process: subprocess.Popen[bytes], seconds: float) -> bytes:
    """One line of the process's output. Raises TimeoutError when none comes in time, or ever."""
    answers = cast("IO[bytes]", process.stdout)
    deadline = time.monotonic() + seconds
    buffer = b""
    with selectors.DefaultSelector() as selector:
        selector.register(answers, selectors.EVENT_READ)
        while not buffer.endswith(b"\n"):
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise TimeoutError
            chunk = os.read(answers.fileno(), 4096)
            if not chunk:
                raise TimeoutError
            buffer += chunk
    return buffer.strip()
