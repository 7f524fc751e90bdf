"""Sends a run to Kubeflow Pipelines and asks how it goes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rdiverse_pipelines.remote.endpoint import Endpoint, refused


@dataclass(frozen=True)
class State:
    """How a run fares."""

    state: str
    """As Kubeflow names it: PENDING, RUNNING, SUCCEEDED, FAILED and so on."""
    message: str
    tasks: list[tuple[str, str]]
    """Name and state of each task that has begun."""


def upload(endpoint: Endpoint, namespace: str, package: Path, name: str) -> str:
    """Put a compiled pipeline into the UI's list, as a new version where the name is known. Returns its id."""
    client = endpoint.client()
    try:
        known = client.get_pipeline_id(name)
        if known is None:
            uploaded = client.upload_pipeline(str(package), pipeline_name=name, namespace=_profile(client, namespace))
            return str(uploaded.pipeline_id)
        version = f"{name}-{_digest(package)}"
        client.upload_pipeline_version(str(package), pipeline_version_name=version, pipeline_id=known)
        return str(known)
    except Exception as error:
        raise refused("take the pipeline", error) from error


def submit(endpoint: Endpoint, namespace: str, package: Path, arguments: dict[str, Any], name: str, experiment: str) -> str:
    """Start a run; gives Kubeflow's id of it. Raises EndpointError."""
    client = endpoint.client()
    try:
        run = client.create_run_from_pipeline_package(
            str(package),
            arguments=arguments,
            run_name=name,
            experiment_name=experiment,
            namespace=_profile(client, namespace),
            enable_caching=False,
        )
    except Exception as error:
        raise refused("start the run", error) from error
    return str(run.run_id)


def status(endpoint: Endpoint, run: str) -> State:
    """Ask for a run's state. Raises EndpointError."""
    client = endpoint.client()
    try:
        found = client.get_run(run)
    except Exception as error:
        raise refused(f"know run {run}", error) from error
    details = (found.run_details.task_details if found.run_details else None) or []
    tasks = [(task.display_name or task.task_id, task.state or "") for task in details]
    return State(found.state or "PENDING", found.error.message if found.error else "", tasks)


def _profile(client: Any, namespace: str) -> str | None:
    """The namespace, where Kubeflow Pipelines serves several users: one that does not refuses to be told any."""
    return namespace if client.get_kfp_healthz().multi_user else None


def _digest(package: Path) -> str:
    from rdiverse.runs.files import file_digest

    return file_digest(package)[:12]
