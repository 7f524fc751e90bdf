"""What each step of the pipeline does, free of Kubeflow."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rdiverse import logs
from rdiverse.runs.events import Event, EventLog
from rdiverse.runs.lifeline import watch_lifeline
from rdiverse_pipelines.target import cluster_file

EVENTS_VARIABLE = "RDIVERSE_EVENTS"
OTHERS_WRITE = 0o002
"""Never allowed on the shared volume: Argo starts steps with no umask at all."""


@contextmanager
def in_step() -> Iterator[None]:
    """Run a step's body: it ends with the command that started it, and its failure reaches whoever watches in words."""
    watch_lifeline()
    logs.configure()
    os.umask(os.umask(OTHERS_WRITE) | OTHERS_WRITE)
    if cluster_file():
        from rdiverse_pipelines.cluster.secret import use_client_secret

        use_client_secret()
    try:
        yield
    except Exception as error:
        events = os.environ.get(EVENTS_VARIABLE)
        if events:
            name = type(error).__name__
            EventLog(Path(events)).write(Event("step", 0, "error", message=str(error) or name))
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a step's log is its standard error
        raise
