"""What is done at a run's end, whether it succeeded or not: its children are stopped, and its final status is written."""

import time

import yaml
from pydantic import ValidationError

from rdiverse.config import RunConfig
from rdiverse.config.cluster import load_cluster
from rdiverse.runs.files import write_json
from rdiverse.runs.folder import RunFolder
from rdiverse_pipelines.target import cluster_file, deployment_target


def finish(config: str, state: str, message: str) -> str:
    """Stop what the run has running and write status.json: state, message, time, what was stopped. Gives a line for the log.

    `state` and `message` are Kubeflow's of the steps before. Leaves everything alone when another pipeline run has taken
    the run over, and when the configuration is none: then nothing was started.
    """
    try:
        resolved = RunConfig.model_validate(yaml.safe_load(config))
    except (ValidationError, yaml.YAMLError):
        return "the configuration is not valid: there is nothing to stop"
    settings = cluster_file()
    workspace = load_cluster(settings).workspace if settings else resolved.workspace
    folder = RunFolder.of(workspace, resolved.resolved_run_id)
    if not folder.config.is_file():
        return f"{folder.root} was never prepared: there is nothing to stop"
    if settings:
        from rdiverse_pipelines.cluster.owner import owned, owner

        if not owned(folder):
            return f"pipeline run {owner(folder)} has taken {folder.root} over: it stops what is running"
    stopped = deployment_target(folder).finish()
    write_json(folder.root / "status.json", {"state": state, "message": message, "time": time.time(), "stopped": stopped})
    return f"{folder.root}: {state}; stopped: {', '.join(stopped) or 'nothing was running'}"
