"""One run of a comparison, as a process of its own: configuration on standard input, the summary's path as argument."""

import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

import yaml

from rdiverse.config import ConfigError, RunConfig
from rdiverse.lm.weights import CheckpointError
from rdiverse.runs.folder import RunFolder
from rdiverse.runs.lifeline import watch_lifeline
from rdiverse.runs.lock import RunBusyError
from rdiverse.runs.manifest import StepError
from rdiverse_pipelines.comparison.provenance import note_commit
from rdiverse_pipelines.comparison.summarise import summarise_run
from rdiverse_pipelines.context import RunContext
from rdiverse_pipelines.local.run import RunFailedError, is_finished, run

LIFELINE = "RDIVERSE_COMPARISON_LIFELINE"
"""Names the lifeline that the comparison holds; the run's own processes hang on another one, which this process holds."""


def main() -> None:
    """Do the run, or what is left of it, and write its summary. Exits with 1 and a last line of words when it fails."""
    watch_lifeline(variable=LIFELINE)
    os.environ.pop(LIFELINE, None)
    signal.signal(signal.SIGTERM, _interrupt)
    config = RunConfig.model_validate(yaml.safe_load(sys.stdin))
    try:
        folder = RunFolder.of(config.workspace, config.resolved_run_id)
        if not is_finished(folder, config):
            note_commit(folder)
        run(config)
        summarise_run(RunContext.open(str(folder.root))).write(Path(sys.argv[1]))
    except (ConfigError, RunBusyError, RunFailedError, StepError, CheckpointError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("error: interrupted")


def _interrupt(_signum: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
