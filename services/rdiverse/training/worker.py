"""One rank of a training phase: `torchrun -m rdiverse.training.worker PHASE_FILE`."""

import os
import sys
import time
import traceback
from pathlib import Path

from rdiverse.training.launch.lifelines import watch_lifelines


def main() -> int:
    """Train the phase named on the command line. Returns the exit code."""
    watch_lifelines()
    from rdiverse import logs
    from rdiverse.training.launch.failure import FAILURE_MARK
    from rdiverse.training.launch.phase import Phase

    phase = Phase.load(Path(sys.argv[1]))
    logs.configure(phase.run)
    started = float(os.environ.get("RDIVERSE_TRAINING_STARTED", time.time()))
    try:
        from rdiverse.training.train import train

        train(phase, started)
    except Exception as error:  # noqa: BLE001 - the last stop: told in one line, with the trace before it
        reason = " ".join(str(error).split()) or "no reason given"
        # One write, since all ranks share the log.
        sys.stderr.write(f"{traceback.format_exc()}{FAILURE_MARK}{type(error).__name__}: {reason}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
