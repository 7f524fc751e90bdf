"""`rdiverse run`: a whole run on this machine."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rdiverse.config import RunConfig
from rdiverse.runs.events import EventTail
from rdiverse.runs.folder import RunFolder
from rdiverse.runs.lifeline import held_lifeline
from rdiverse.runs.lock import locked
from rdiverse.runs.manifest import StepError, check_outputs, read_record
from rdiverse.selfplay.steps import recorded
from rdiverse_pipelines.iterations import pipeline_iterations
from rdiverse_pipelines.local.cpu import CpuMeter
from rdiverse_pipelines.local.preflight import check
from rdiverse_pipelines.local.progress import ProgressView
from rdiverse_pipelines.local.servers import ServerError, Servers, running_servers
from rdiverse_pipelines.steps import EVENTS_VARIABLE
from rdiverse_pipelines.steps.prepare import begin_session, prepare

LOOK_SECONDS = 0.1


class RunFailedError(RuntimeError):
    """The run stopped; the text says at what and why."""


def run(config: RunConfig) -> RunFolder:
    """Do a run, or what is left of it, and return its folder.

    Raises ConfigError before anything starts, RunBusyError when another command works in the folder, RunFailedError when
    a step or server fails.
    """
    check(config)
    folder = RunFolder.of(config.workspace, config.resolved_run_id)
    with locked(folder.lock):
        prepare(config)
        if is_finished(folder, config):
            return folder
        begin_session(folder)
        with held_lifeline(folder.root / "lifeline") as lifeline, ProgressView(folder, config) as view:
            try:
                view.message("starting the servers")
                with running_servers(config, folder, lifeline) as servers:
                    view.message("servers are ready; metrics at " + ", ".join(f"{k} {v}" for k, v in servers.metrics.items()))
                    # Kubeflow's runner leaves a directory for every step; a step that was killed may still be writing.
                    with tempfile.TemporaryDirectory(prefix="rdiverse-steps-", ignore_cleanup_errors=True) as scratch:
                        _go_through_steps(folder, servers, view, scratch)
            except ServerError as error:
                raise RunFailedError(str(error)) from error
    return folder


def is_finished(folder: RunFolder, config: RunConfig) -> bool:
    """Whether every step is done, its files are what it wrote, and the summary and report stand."""
    last = pipeline_iterations(config)
    for t in range(last + 1):
        for step in recorded(t):
            record = read_record(folder, step, t)
            if record is None:
                return False
            try:
                check_outputs(folder, record)
            except StepError as error:
                raise RunFailedError(str(error)) from error
    return folder.summary.is_file() and folder.report.is_file()


def read_summary(folder: RunFolder) -> dict[str, Any]:
    """The figures of a run."""
    summary: dict[str, Any] = json.loads(folder.summary.read_text(encoding="utf-8"))
    return summary


def _go_through_steps(folder: RunFolder, servers: Servers, view: ProgressView, scratch: str) -> None:
    log = folder.logs / "pipeline.log"
    tail = EventTail(folder.events)
    meter = CpuMeter(folder)
    own = {EVENTS_VARIABLE: str(folder.events), "TMPDIR": scratch, **_on_path()}
    with log.open("ab") as output:
        steps = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "rdiverse_pipelines.local.execute", str(folder.root)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **servers.environment, **own},
        )
    failure = ""
    try:
        while True:
            status = steps.poll()
            for event in tail:
                failure = event.message if event.kind == "error" else failure
                view.show(event)
                meter.note(event)
            if status is not None:
                break
            servers.check()
            time.sleep(LOOK_SECONDS)
    finally:
        if steps.poll() is None:
            steps.kill()
            steps.wait()
    if status:
        raise RunFailedError(f"{failure or 'the pipeline failed'}\nThe steps' log: {log}")


def _on_path() -> dict[str, str]:
    """Kubeflow's runner calls `python3`: let that be this interpreter."""
    return {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
