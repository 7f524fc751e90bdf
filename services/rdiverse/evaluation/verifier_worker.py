"""The process behind `Verifier`: reads [gold, answer, seconds] from stdin, a JSON array a line; answers 1 or 0.

It ends with stdin, with whoever holds the lifeline, and by a kernel timer when a question takes too long, whatever the
library is doing then.
"""

import contextlib
import json
import os
import resource
import signal
import sys
import warnings

from rdiverse.runs.lifeline import watch_lifeline

MEMORY_BYTES = 2 << 30


def main() -> None:
    """Serve questions until stdin ends."""
    watch_lifeline()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(ValueError):  # the system's own limit is lower
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    warnings.simplefilter("ignore")
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a library prints is no answer
    from math_verify import parse, verify

    print("ready", file=answers)
    for line in sys.stdin:
        gold, answer, seconds = json.loads(line)
        # The library's own limit is another use of the same timer; it is switched off.
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            right = verify(parse(gold, parsing_timeout=None), parse(answer, parsing_timeout=None), timeout_seconds=None)
        except (Exception, RecursionError):  # noqa: BLE001  R-Zero's script would end here; a comparison that fails says no
            right = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        print("1" if right else "0", file=answers)


if __name__ == "__main__":
    main()
