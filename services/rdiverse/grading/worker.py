"""One process of the grading pool: reads questions from stdin, a JSON array a line.

`["nodes", a, b, seconds]` asks about two trees, `["latex", a, b, seconds]` about two answers. Each is answered by two
lines: "started" when the library is there, then 1, 0 or an error's name. It ends when stdin does, when the process that
holds the lifeline does, and, whatever the library is doing, shortly after a question's time is up: a kernel timer needs no
interpreter, which may be deep in one long multiplication.
"""

import contextlib
import importlib
import json
import os
import resource
import signal
import sys
import warnings
from collections.abc import Callable
from typing import Any

from rdiverse.runs.lifeline import watch_lifeline

MEMORY_BYTES = 2 << 30
"""Address space of a worker: what needs more is unequal."""
GRACE_SECONDS = 1.0
"""How long after a question's time the kernel ends a worker that its parent did not."""

_CHECKS = {"nodes": ("rdiverse.grading.precise", "same_expression"), "latex": ("rdiverse.grading.symbolic", "same_latex")}


def main() -> None:
    """Serve questions until stdin ends."""
    watch_lifeline()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(ValueError):  # the system's own limit is lower
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    warnings.simplefilter("ignore")
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    # Whatever a library prints must not look like an answer.
    os.dup2(2, 1)
    for line in sys.stdin:
        kind, a, b, seconds = json.loads(line)
        # Imported when first needed, and on no question's time: a symbolic library takes seconds.
        module, function = _CHECKS[kind]
        check = getattr(importlib.import_module(module), function)
        print("started", file=answers)
        signal.setitimer(signal.ITIMER_REAL, seconds + GRACE_SECONDS)
        print(_answer(check, a, b), file=answers)
        signal.setitimer(signal.ITIMER_REAL, 0)


def _answer(check: Callable[[Any, Any], bool], a: Any, b: Any) -> str:
    try:
        return "1" if check(a, b) else "0"
    except Exception as error:  # noqa: BLE001  a library may fail in any way, and that is an answer
        return type(error).__name__


if __name__ == "__main__":
    main()
