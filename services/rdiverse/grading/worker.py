"""One process of the grading pool: reads questions from stdin, a JSON array a line.

`["nodes", a, b, seconds, wall_seconds]` asks about two trees, `"latex"` in its place about two answers, `"verify"` about a
gold answer and another as R-Zero does; arguments name the kinds to prepare for. Each question is answered by two lines,
"started" when the library is there, then 1, 0 or an error's name. The process ends when stdin does, when the one that holds the
lifeline does, and, whatever the library is doing, when a question's seconds of CPU are used up: the kernel's timer needs no
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
MAX_CALLS = 1_000_000
"""Calls of Python functions that a question may take, about a second: unlike seconds, they do not depend on the machine. A
process that has used them up ends, as it would if its time were up; a library might catch an error."""
GRACE_SECONDS = 1.0
"""How long after a question's time on the clock the kernel ends a worker that its parent did not."""

Check = Callable[[Any, Any], bool]
_CHECKS = {
    "nodes": ("rdiverse.grading.precise", "same_expression"),
    "latex": ("rdiverse.grading.symbolic", "same_latex"),
    "verify": ("rdiverse.grading.symbolic", "verified"),
}


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
    checks = {kind: _loaded(kind) for kind in sys.argv[1:]}
    for line in sys.stdin:
        kind, a, b, seconds, wall_seconds = json.loads(line)
        if kind not in checks:
            checks[kind] = _loaded(kind)
        print("started", file=answers)
        signal.setitimer(signal.ITIMER_PROF, seconds)
        signal.setitimer(signal.ITIMER_REAL, wall_seconds + GRACE_SECONDS)
        answer = _answer(checks[kind], a, b)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(answer, file=answers)


def _loaded(kind: str) -> Check:
    """Import a library when it is first needed, and on no question's time: a symbolic one takes seconds."""
    module = importlib.import_module(_CHECKS[kind][0])
    module.warm_up()
    check: Check = getattr(module, _CHECKS[kind][1])
    return check


def _answer(check: Check, a: Any, b: Any) -> str:
    left = MAX_CALLS

    def count(_frame: object, _event: str, _argument: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os._exit(1)

    sys.settrace(count)  # as it gives no function for lines, it is called for calls alone
    try:
        return "1" if check(a, b) else "0"
    except Exception as error:  # noqa: BLE001  a library may fail in any way, and that is an answer
        return type(error).__name__
    finally:
        sys.settrace(None)


if __name__ == "__main__":
    main()
