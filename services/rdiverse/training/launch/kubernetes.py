"""Runs a phase as a PyTorchJob: creates it or re-attaches, follows it to its end, says why it failed.

Of Kubeflow's TrainingClient (1.9.4) this uses the configured Kubernetes clients and not the calls on top of them, because those
- turn every failure into RuntimeError, and one without an answer (a connection that broke) into one without a cause: conflict,
  refusal and an API server that is away for moments could not be told apart;
- wait by polling and give up at the first read that fails; there is no watch;
- print logs and gather them in memory; a stream that broke cannot go on, and pods that are not there yet have none.
"""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from rdiverse.config import load_config
from rdiverse.runs.events import Event, EventLog
from rdiverse.training.launch.api_errors import api_errors, connection_errors, error_message, is_transient
from rdiverse.training.launch.failure import TrainingFailed, failure_of
from rdiverse.training.launch.phase import Phase
from rdiverse.training.launch.podlog import PodLog
from rdiverse.training.launch.pods import STUCK, troubles
from rdiverse.training.launch.pytorchjob import (
    CONTAINER,
    FAILED,
    GPU,
    PHASE_ANNOTATION,
    SUCCEEDED,
    condition,
    job_name,
    pytorch_job,
)
from rdiverse.training.launch.result import PhaseResult, finished
from rdiverse.training.launch.signals import ended_by_signal

TEMPLATE_VARIABLE = "RDIVERSE_PYTORCHJOB_TEMPLATE"
"""Path of a YAML file with the trainer's PodTemplateSpec."""
NAMESPACE_VARIABLE = "RDIVERSE_NAMESPACE"
HANDED_ON = ("RDIVERSE_SOLVER_ADDRESS", "RDIVERSE_DIVERSITY_ADDRESS", "RDIVERSE_TLS_DIR", "RDIVERSE_TOKEN_FILE")
"""What trainers need of the step's environment."""

GROUP, VERSION, PLURAL = "kubeflow.org", "v1", "pytorchjobs"
WATCH_SECONDS = 30
PAUSE_SECONDS = 0.5
STUCK_SECONDS = 180.0
"""A pod whose image cannot be pulled is given this long: registries fail for moments."""
API_GONE_SECONDS = 300.0
"""The API server may be away this long; the job runs on meanwhile."""


class PyTorchJobLauncher:
    """Trains on a cluster that has the Kubeflow training operator (v1). The run's folder is shared with the pods."""

    def __init__(
        self,
        template: dict[str, Any],
        namespace: str,
        client: Any = None,
        stuck_seconds: float = STUCK_SECONDS,
        api_gone_seconds: float = API_GONE_SECONDS,
        *,
        release: str = "",
        environment: Mapping[str, str] | None = None,
        gpu_resource: str = GPU,
        job_labels: Mapping[str, str] | None = None,
    ) -> None:
        """Say where and how jobs are made.

        `template`: PodTemplateSpec of a trainer. `client`: a kubeflow.training.TrainingClient, made when not
        given. `release`: begins the jobs' names and labels them.
        `environment`: what trainers are told; without it, HANDED_ON of this process's own. `gpu_resource`, `job_labels`:
        see pytorch_job.
        """
        self._template = template
        self._namespace = namespace
        if client is None:
            from kubeflow.training import TrainingClient

            client = TrainingClient(namespace=namespace)
        self._client = client
        self._release = release
        self._environment = environment
        self._gpu_resource = gpu_resource
        self._job_labels = job_labels or {}
        self._stuck_seconds = stuck_seconds
        self._api_gone_seconds = api_gone_seconds

    @classmethod
    def from_environment(cls) -> "PyTorchJobLauncher":
        """Read template and namespace from where the environment says. Raises ValueError."""
        path = os.environ.get(TEMPLATE_VARIABLE)
        if not path:
            raise ValueError(f"{TEMPLATE_VARIABLE} is not set: it names the trainer's pod template")
        template = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        return cls(template, os.environ.get(NAMESPACE_VARIABLE) or _own_namespace())

    def run(self, phase: Phase) -> PhaseResult:
        """Run a phase to its end (see Launcher). Being cancelled (SIGTERM, Ctrl-C) deletes the job; dying does not."""
        if result := finished(phase):
            return result
        phase.resume_dir.mkdir(parents=True, exist_ok=True)
        phase.save()
        name = job_name(phase, self._release)
        with ended_by_signal():
            try:
                self._create(phase)
                log = PodLog(self._client.core_api, self._namespace, f"{name}-master-0", CONTAINER, phase.log_path)
                log.start()
                try:
                    failure = self._follow(phase, name)
                finally:
                    log.finish()
            except (KeyboardInterrupt, SystemExit):
                self._delete(name)
                raise
        if failure:
            raise failure_of(phase.step, log.lines(), failure)
        if result := finished(phase):
            return result
        raise failure_of(phase.step, log.lines(), f"PyTorchJob {name} succeeded, but {phase.output} holds no finished weights")

    def _create(self, phase: Phase) -> None:
        """Create the job; a job of the same phase that is there already is taken over, one that has failed is replaced."""
        from kubernetes.client.exceptions import ApiException

        processes = load_config(phase.config_path).training(phase.role).processes
        environment = self._environment
        if environment is None:
            environment = {name: os.environ[name] for name in HANDED_ON if name in os.environ}
        body = pytorch_job(
            phase,
            processes,
            self._namespace,
            self._template,
            environment,
            self._release,
            self._gpu_resource,
            self._job_labels,
        )
        name = body["metadata"]["name"]
        began = time.monotonic()
        while True:
            # 1. Create. Refused by the API's rules: an error; no answer: once more, until api_gone_seconds are over.
            try:
                self._api.create_namespaced_custom_object(GROUP, VERSION, self._namespace, PLURAL, body)
                return
            except ApiException as error:
                if error.status != 409:
                    if error.status is not None and error.status < 500 and error.status != 429:
                        raise TrainingFailed(f"{phase.step}: PyTorchJob {name} was refused: {error_message(error)}") from error
                    self._wait_for_api(phase, began, error)
                    continue
            except connection_errors() as error:
                self._wait_for_api(phase, began, error)
                continue
            # 2. There is one of that name: from an attempt whose answer was lost, or whose step died.
            job = self._get(name)
            if job is None:
                continue  # it went in between
            if (job["metadata"].get("annotations") or {}).get(PHASE_ANNOTATION) != str(phase.file):
                raise TrainingFailed(
                    f"{phase.step}: PyTorchJob {name} exists and belongs to another phase; delete it or rename the run"
                )
            # 3. It runs: followed as if it had been created here. One that has ended did so without weights, and one that is
            #    being deleted was cancelled with its step: replaced when it has gone.
            going = job["metadata"].get("deletionTimestamp")
            if not (going or condition(job, FAILED) or condition(job, SUCCEEDED)):
                return
            self._delete(name)
            self._wait_until_gone(phase, name)

    def _follow(self, phase: Phase, name: str) -> str | None:
        """Wait for the job's end. None: it succeeded; else why it failed."""
        began_stuck: float | None = None
        last_heard = time.monotonic()
        events = EventLog(phase.events_path)
        told_last = ""
        while True:
            try:
                # 1. How do the job and its pods stand?
                job = self._get(name)
                if job is None:
                    return f"PyTorchJob {name} was deleted by somebody else"
                found = troubles(self._pods(name))
                last_heard = time.monotonic()
                # 2. The operator says that it has ended. What it says of a failure is vague: the pods' own reasons come first.
                if condition(job, SUCCEEDED):
                    return None
                if failed := condition(job, FAILED):
                    return "; ".join([*(str(trouble) for trouble in found[:3]), failed.get("message") or "PyTorchJob failed"])
                # 3. Pods that never start end no job by themselves (an image that is not there): this ends it, in time.
                stuck = any(trouble.reason in STUCK for trouble in found)
                began_stuck = (began_stuck or time.monotonic()) if stuck else None
                if found and (found[0].final or (began_stuck and time.monotonic() - began_stuck >= self._stuck_seconds)):
                    self._delete(name)
                    return str(found[0])
                # 4. Whoever watches hears why nothing moves, each thing once (no GPU is free).
                if (told := "; ".join(map(str, found))) != told_last:
                    told_last = told
                    events.write(Event(phase.step, phase.iteration, "progress", message=told))
                # 5. Sleep until the job changes.
                self._wait_for_change(name, job["metadata"]["resourceVersion"], quick=bool(found))
            except api_errors() as error:
                if not is_transient(error):
                    raise TrainingFailed(
                        f"{phase.step}: PyTorchJob {name} cannot be followed: {error_message(error)}"
                    ) from error
                self._wait_for_api(phase, last_heard, error)

    def _wait_for_change(self, name: str, version: str, quick: bool) -> None:
        """Wait until the job changes, for at most WATCH_SECONDS (a pod's trouble changes no job: then much shorter)."""
        from kubernetes import watch

        seconds = 2 if quick else WATCH_SECONDS
        stream = watch.Watch().stream(
            self._api.list_namespaced_custom_object, GROUP, VERSION, self._namespace, PLURAL,
            field_selector=f"metadata.name={name}", resource_version=version, timeout_seconds=seconds,
            _request_timeout=seconds + 10,
        )  # fmt: skip
        for _event in stream:
            return

    def _wait_for_api(self, phase: Phase, last_heard: float, error: BaseException) -> None:
        if time.monotonic() - last_heard >= self._api_gone_seconds:
            raise TrainingFailed(
                f"{phase.step}: the Kubernetes API has not answered for {self._api_gone_seconds:.0f} s: {error_message(error)}."
                " The job may still run; start the step again to re-attach"
            ) from error
        time.sleep(PAUSE_SECONDS)

    def _wait_until_gone(self, phase: Phase, name: str) -> None:
        began = time.monotonic()
        while self._get(name) is not None:
            if time.monotonic() - began > self._api_gone_seconds:
                raise TrainingFailed(f"{phase.step}: PyTorchJob {name} of an earlier attempt cannot be deleted")
            time.sleep(PAUSE_SECONDS)

    @property
    def _api(self) -> Any:
        return self._client.custom_api

    def _get(self, name: str, verb: str = "get", **options: str) -> dict[str, Any] | None:
        """Read a job, or do something else with it; None when there is none."""
        from kubernetes.client.exceptions import ApiException

        call: Callable[..., dict[str, Any]] = getattr(self._api, f"{verb}_namespaced_custom_object")
        try:
            return call(GROUP, VERSION, self._namespace, PLURAL, name, **options)
        except ApiException as error:
            if error.status == 404:
                return None
            raise

    def _pods(self, name: str) -> list[Any]:
        selector = f"training.kubeflow.org/job-name={name}"
        return list(self._client.core_api.list_namespaced_pod(self._namespace, label_selector=selector).items)

    def _delete(self, name: str) -> None:
        self._get(name, "delete", propagation_policy="Foreground")


def _own_namespace() -> str:
    from kubeflow.training.utils.utils import get_default_target_namespace

    return str(get_default_target_namespace())
