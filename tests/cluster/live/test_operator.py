"""What the training operator does with a job whose pod fails or goes: seen on 1.9.4."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from kubeflow.training import TrainingClient
from manifests.rendering.chart import CHART
from tests.cluster.live.test_run import Run
from tests.support.live_cluster import Object, Space, namespace, until
from tests.support.live_release import RELEASE, set_values

from rdiverse.training.launch.kubernetes import PyTorchJobLauncher
from rdiverse.training.launch.pytorchjob import condition, job_name
from rdiverse_pipelines.cluster.api import configured

CONFIG = Path(__file__).parents[3] / "configs" / "local.yaml"


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    with namespace("restricted") as made:
        made.helm("install", RELEASE, str(CHART), *set_values(tmp_path_factory.mktemp("values"), "4gpu"))
        yield made


def started(space: Space, folder: Path, run: str) -> tuple[str, Object]:
    """The name of a job that was begun, and its pod."""
    job = Run(space, folder, run).job()
    name = space.send(job)["metadata"]["name"]
    [pod] = until(lambda: pods(space, name), "the trainer's pod")
    return name, pod


def pods(space: Space, job: str) -> list[Object]:
    return space.listed("pods", f"training.kubeflow.org/job-name={job}")


def failed(space: Space, job: str) -> bool:
    return condition(space.there("pytorchjobs", job), "Failed") is not None


def test_a_failed_pod_is_tried_once_and_stays_readable(space: Space, tmp_path: Path) -> None:
    job, pod = started(space, tmp_path, "dies")
    space.play(pod["metadata"]["name"], "Failed", exit_code=137, reason="OOMKilled")
    until(lambda: failed(space, job), "the job has failed")
    time.sleep(5)
    [left] = pods(space, job)
    assert left["metadata"]["uid"] == pod["metadata"]["uid"]
    ended = left["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (137, "OOMKilled")


def test_a_deleted_pod_fails_the_job_at_once(space: Space, tmp_path: Path) -> None:
    job, pod = started(space, tmp_path, "goes")
    space.play(pod["metadata"]["name"], "Running", ready=True)
    # A pod that the operator never saw running is made anew, and nobody told.
    until(lambda: condition(space.there("pytorchjobs", job), "Running"), "the operator has seen it run")
    space.kubectl("delete", "pod", pod["metadata"]["name"], "--grace-period", "0", "--force")
    until(lambda: failed(space, job), "the job has failed")


def test_a_job_that_is_being_deleted_is_not_taken_over(space: Space, tmp_path: Path) -> None:
    """A cancelled job takes a while to go; the step that comes back makes a new one when it has."""
    phase = replace(Run(space, tmp_path, "cancelled").phase(), config_path=CONFIG)
    launcher = a_launcher(space, tmp_path)
    launcher._create(phase)
    name = job_name(phase, RELEASE)
    old = space.there("pytorchjobs", name)["metadata"]["uid"]
    held = ("patch", "pytorchjob", name, "--type", "merge", "--patch")
    space.kubectl(*held, '{"metadata": {"finalizers": ["rdiverse.dev/test"]}}')
    space.kubectl("delete", "pytorchjob", name, "--wait=false")
    with ThreadPoolExecutor(1) as step:
        again = step.submit(launcher._create, phase)
        time.sleep(3)
        done = again.done()
        space.kubectl(*held, '{"metadata": {"finalizers": null}}')
        again.result(60)
    assert not done
    assert space.there("pytorchjobs", name)["metadata"]["uid"] != old


def a_launcher(space: Space, folder: Path) -> PyTorchJobLauncher:
    settings = Run(space, folder).objects.settings
    client = TrainingClient(client_configuration=configured(), namespace=space.name)
    return PyTorchJobLauncher(settings.trainer, space.name, client, release=RELEASE)


def test_workers_are_refused_where_restricted_rules(space: Space, tmp_path: Path) -> None:
    """The operator's own init container sets no security context."""
    job = space.send(Run(space, tmp_path, "two-pods").job(pods=2))["metadata"]["name"]
    refusal = 'violates PodSecurity "restricted'
    until(lambda: [said for said in space.warnings() if refusal in said and "init-pytorch" in said], "the refusal")
    assert [pod["metadata"]["name"] for pod in pods(space, job)] == [f"{job}-master-0"]
