"""The PyTorchJob launcher against an API server: what it creates, what it makes of everything that can happen."""

import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.testdata import crds
from tests.support.training_cluster import Cluster, faults, serving
from tests.support.training_models import write_phase

from rdiverse.lm.weights import MANIFEST
from rdiverse.runs.events import EventTail
from rdiverse.training.launch import Phase, PhaseResult, TrainingFailed
from rdiverse.training.launch.kubernetes import PyTorchJobLauncher
from rdiverse.training.launch.pytorchjob import JobTemplateError, job_name, pytorch_job

TEMPLATE: dict[str, Any] = {
    "metadata": {"labels": {"team": "research"}},
    "spec": {
        "serviceAccountName": "trainer",
        "containers": [
            {
                "name": "pytorch", "image": "registry.example/training:0.1.0", "env": [{"name": "HF_HOME", "value": "/cache"}],
                "resources": {"limits": {"nvidia.com/gpu": 4}},
                "volumeMounts": [{"name": "workspace", "mountPath": "/workspace"}],
                "securityContext": {"runAsNonRoot": True, "readOnlyRootFilesystem": True},
            }
        ],
        "volumes": [{"name": "workspace", "persistentVolumeClaim": {"claimName": "workspace"}}],
    },
}  # fmt: skip


@pytest.fixture
def phase(tmp_path: Path) -> Phase:
    return replace(write_phase(tmp_path, tmp_path / "model"), run="1st.Run_of_all", metrics_address="0.0.0.0:9100")


def trained(phase: Phase) -> None:
    """What a trainer leaves behind."""
    phase.output.mkdir(parents=True, exist_ok=True)
    (phase.output / MANIFEST).write_text('{"version": "v1", "files": {}}')
    PhaseResult("v1", 3, {}, [], 0.0, 0).save(phase.result_path)


def launcher(url: str, **seconds: float) -> PyTorchJobLauncher:
    from kubeflow.training import TrainingClient
    from kubernetes.client import Configuration

    configuration = Configuration()
    configuration.host = url
    configuration.retries = False
    return PyTorchJobLauncher(TEMPLATE, "ns", TrainingClient(client_configuration=configuration, namespace="ns"), **seconds)


# The object


@pytest.mark.parametrize(("processes", "pods", "ranks"), [(1, 1, "1"), (4, 1, "4"), (8, 2, "4"), (16, 4, "4")])
def test_ranks_are_spread_over_pods_by_their_gpus(phase: Phase, processes: int, pods: int, ranks: str) -> None:
    job = pytorch_job(phase, processes, "ns", TEMPLATE, {})
    replicas = job["spec"]["pytorchReplicaSpecs"]
    assert sum(each["replicas"] for each in replicas.values()) == pods
    assert job["spec"]["nprocPerNode"] == ranks
    assert replicas["Master"]["replicas"] == 1


def test_the_object_is_a_valid_pytorchjob(phase: Phase) -> None:
    for release, schema in crds("training-operator-*-pytorchjobs.yaml").items():
        for processes in (1, 8):
            job = pytorch_job(phase, processes, "ns", TEMPLATE, {"RDIVERSE_SOLVER_ADDRESS": "dns:///solver:8001"})
            assert faults(job, schema) == [], release
        job["spec"]["pytorchReplicaSpecs"]["Master"]["templat"] = {}
        job["spec"]["nprocPerNode"] = 4
        assert len(faults(job, schema)) == 2, f"{release}: the check sees mistakes"


def test_the_name_is_dns_1035_and_the_phases_own(phase: Phase) -> None:
    name = job_name(phase)
    assert len(name) <= 50
    assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name)
    assert name == job_name(replace(phase))
    assert len({job_name(replace(phase, iteration=t, run=run)) for t in (1, 2) for run in ("a", "b", "x" * 60)}) == 6


def test_the_name_begins_with_the_release_and_tells_releases_apart(phase: Phase) -> None:
    names = {release: job_name(phase, release) for release in ("a", "rdiverse", "r" * 32, "r" * 31 + "s")}
    assert len(set(names.values())) == 4
    assert names["rdiverse"].startswith("rdiverse-train-solver-")
    assert all(len(name) <= 50 for name in names.values())
    job = pytorch_job(phase, 4, "ns", TEMPLATE, {}, "rdiverse")
    assert job["metadata"]["name"] == names["rdiverse"]
    assert job["metadata"]["labels"]["app.kubernetes.io/instance"] == "rdiverse"


def test_the_template_keeps_what_it_says_and_the_trainer_is_named(phase: Phase) -> None:
    job = pytorch_job(phase, 4, "ns", TEMPLATE, {"RDIVERSE_SOLVER_ADDRESS": "s:1", "HF_HOME": "/other"})
    template = job["spec"]["pytorchReplicaSpecs"]["Master"]["template"]
    [container] = template["spec"]["containers"]
    assert template["metadata"]["labels"]["team"] == "research"
    assert template["metadata"]["labels"]["rdiverse.dev/role"] == "solver"
    assert container["args"][-1] == str(phase.file)
    assert {entry["name"]: entry["value"] for entry in container["env"]} == {
        "HF_HOME": "/cache",
        "RDIVERSE_SOLVER_ADDRESS": "s:1",
    }
    assert container["ports"] == [{"name": "metrics", "containerPort": 9100}]
    assert job["spec"]["pytorchReplicaSpecs"]["Master"]["restartPolicy"] == "Never"
    assert "name" in TEMPLATE["spec"]["containers"][0], "the template itself is not changed"
    assert "command" not in TEMPLATE["spec"]["containers"][0]


def test_a_template_that_does_not_fit_is_refused(phase: Phase) -> None:
    with pytest.raises(JobTemplateError, match="no container named 'pytorch': \\['main'\\]"):
        pytorch_job(phase, 4, "ns", {"spec": {"containers": [{"name": "main"}]}}, {})
    with pytest.raises(JobTemplateError, match="6 processes do not divide into pods of 4 GPUs"):
        pytorch_job(phase, 6, "ns", TEMPLATE, {})


# The run


def test_success_gives_the_result_and_rank_zeros_log(phase: Phase) -> None:
    cluster = Cluster()

    def operator(job: dict[str, Any]) -> None:
        name = job["metadata"]["name"]
        cluster.pod(name, {"running": {}})
        cluster.logs[f"{name}-master-0"] = "step 1\nstep 2\n"
        cluster.condition(name, "Running")
        time.sleep(0.3)
        cluster.logs[f"{name}-master-0"] += "step 3\n"
        trained(phase)
        cluster.condition(name, "Succeeded")

    cluster.on_create = operator
    with serving(cluster) as url:
        began = time.monotonic()
        assert launcher(url).run(phase).version == "v1"
        assert time.monotonic() - began < 5, "told by the watch, not by a slow poll"
        assert phase.log_path.read_text() == "step 1\nstep 2\nstep 3\n"
        assert launcher(url).run(phase).version == "v1"
    assert len(cluster.created) == 1, "a finished phase creates no job"


def test_a_job_that_succeeds_without_weights_is_a_failure(phase: Phase) -> None:
    cluster = Cluster()
    cluster.on_create = lambda job: cluster.condition(job["metadata"]["name"], "Succeeded")
    with serving(cluster) as url, pytest.raises(TrainingFailed, match=r"succeeded, but .* holds no finished weights"):
        launcher(url).run(phase)


def test_out_of_memory_is_told_with_the_last_lines(phase: Phase) -> None:
    cluster = Cluster()

    def operator(job: dict[str, Any]) -> None:
        name = job["metadata"]["name"]
        cluster.logs[f"{name}-master-0"] = "".join(f"line {number}\n" for number in range(100))
        cluster.pod(name, {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}, phase="Failed")
        cluster.condition(name, "Failed", "PyTorchJob has failed because 1 Master replica(s) failed.")

    cluster.on_create = operator
    with serving(cluster) as url, pytest.raises(TrainingFailed) as failure:
        launcher(url).run(phase)
    assert "master-0: OOMKilled: exit code 137" in failure.value.reason
    assert failure.value.log_lines == [f"line {number}" for number in range(80, 100)]


def test_the_trainers_own_reason_comes_first(phase: Phase) -> None:
    cluster = Cluster()

    def operator(job: dict[str, Any]) -> None:
        name = job["metadata"]["name"]
        cluster.logs[f"{name}-master-0"] = (
            "before\ntraining failed: TrainingError: a reward is no finite number\ntorchrun's words\n"
        )
        cluster.pod(name, {"terminated": {"exitCode": 1, "reason": "Error"}}, phase="Failed")
        cluster.condition(name, "Failed", "failed")

    cluster.on_create = operator
    with serving(cluster) as url, pytest.raises(TrainingFailed) as failure:
        launcher(url).run(phase)
    assert failure.value.reason == "train-solver: TrainingError: a reward is no finite number"
    assert failure.value.log_lines == ["before"]


def test_an_image_that_cannot_be_pulled_ends_the_job_after_a_while(phase: Phase) -> None:
    cluster = Cluster()
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
    cluster.on_create = lambda job: cluster.pod(job["metadata"]["name"], waiting, phase="Pending")
    tail = EventTail(phase.events_path)
    with serving(cluster) as url, pytest.raises(TrainingFailed, match="ImagePullBackOff: no such image"):
        launcher(url, stuck_seconds=1).run(phase)
    assert cluster.deleted == [job_name(phase)], "it would wait for ever"
    assert any("ImagePullBackOff" in event.message for event in tail), "whoever watches is told at once"


def test_a_pod_that_finds_no_node_is_waited_for(phase: Phase) -> None:
    cluster = Cluster()

    def operator(job: dict[str, Any]) -> None:
        name = job["metadata"]["name"]
        unscheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes: no GPU"}
        cluster.pod(name, phase="Pending", conditions=[unscheduled])
        time.sleep(2)
        trained(phase)
        cluster.condition(name, "Succeeded")

    cluster.on_create = operator
    with serving(cluster) as url:
        assert launcher(url, stuck_seconds=0.5).run(phase).version == "v1"


def test_a_job_deleted_by_somebody_is_a_failure(phase: Phase) -> None:
    cluster = Cluster()
    cluster.on_create = lambda job: (time.sleep(0.3), cluster.change(lambda: cluster.jobs.pop(job["metadata"]["name"])))[0]
    with serving(cluster) as url, pytest.raises(TrainingFailed, match="was deleted by somebody else"):
        launcher(url).run(phase)


def test_an_api_server_that_restarts_is_waited_for(phase: Phase) -> None:
    cluster = Cluster()
    cluster.broken_watches, cluster.torn_watches = 1, 1
    cluster.refused_creates = [503, 429]

    def operator(job: dict[str, Any]) -> None:
        while cluster.broken_watches or cluster.torn_watches:
            time.sleep(0.05)
        cluster.down.set()
        time.sleep(1.5)
        trained(phase)
        cluster.condition(job["metadata"]["name"], "Succeeded")
        cluster.down.clear()

    cluster.on_create = operator
    with serving(cluster) as url:
        assert launcher(url).run(phase).version == "v1"
    assert (cluster.broken_watches, cluster.torn_watches) == (0, 0)


def test_an_api_server_that_stays_away_is_given_up_and_the_job_left_alone(phase: Phase) -> None:
    cluster = Cluster()
    cluster.on_create = lambda _job: cluster.down.set()
    with serving(cluster) as url, pytest.raises(TrainingFailed, match=r"has not answered for 2 s.*start the step again"):
        launcher(url, api_gone_seconds=2).run(phase)
    assert cluster.deleted == []
    assert list(cluster.jobs) == [job_name(phase)]


def test_a_refused_job_says_why(phase: Phase) -> None:
    cluster = Cluster()
    cluster.refused_creates = [403]
    with serving(cluster) as url, pytest.raises(TrainingFailed, match="was refused: refused with 403"):
        launcher(url).run(phase)


def existing(cluster: Cluster, phase: Phase) -> str:
    """The job as an earlier caller has left it."""
    job = pytorch_job(phase, 1, "ns", TEMPLATE, {})
    cluster.change(lambda: cluster.jobs.update({job["metadata"]["name"]: job}))
    return job_name(phase)


def test_a_running_job_of_the_same_phase_is_taken_over(phase: Phase) -> None:
    cluster = Cluster()
    name = existing(cluster, phase)
    cluster.condition(name, "Running")

    def end() -> None:
        trained(phase)
        cluster.condition(name, "Succeeded")

    threading.Timer(0.5, end).start()
    with serving(cluster) as url:
        assert launcher(url).run(phase).version == "v1"
    assert cluster.created == []


def test_a_failed_job_of_the_same_phase_is_replaced(phase: Phase) -> None:
    cluster = Cluster()
    name = existing(cluster, phase)
    cluster.condition(name, "Failed", "yesterday")

    def operator(_job: dict[str, Any]) -> None:
        trained(phase)
        cluster.condition(name, "Succeeded")

    cluster.on_create = operator
    with serving(cluster) as url:
        assert launcher(url).run(phase).version == "v1"
    assert cluster.deleted == [name]
    assert len(cluster.created) == 1


def test_somebody_elses_job_of_that_name_is_left_alone(phase: Phase) -> None:
    cluster = Cluster()
    cluster.jobs[existing(cluster, phase)]["metadata"]["annotations"] = {}
    with serving(cluster) as url, pytest.raises(TrainingFailed, match="belongs to another phase"):
        launcher(url).run(phase)
    assert cluster.deleted == []


@pytest.mark.long
@pytest.mark.parametrize(("number", "deleted"), [(signal.SIGTERM, True), (signal.SIGKILL, False)])
def test_cancelling_deletes_the_job_and_dying_does_not(phase: Phase, number: signal.Signals, deleted: bool) -> None:
    cluster = Cluster()
    file = phase.output.parent / "phase.json"
    phase.resume_dir.mkdir()
    file.write_bytes(phase.save().read_bytes())
    code = (
        "import sys; from pathlib import Path; from rdiverse.training.launch import Phase\n"
        "from tests.integration.test_training_pytorchjob import launcher\n"
        "launcher(sys.argv[1]).run(Phase.load(Path(sys.argv[2])))"
    )
    with serving(cluster) as url:
        caller = subprocess.Popen([sys.executable, "-c", code, url, str(file)], cwd=Path(__file__).parents[2])
        deadline = time.monotonic() + 60
        while not cluster.jobs and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.3)
        caller.send_signal(number)
        caller.wait(20)
        assert cluster.deleted == ([job_name(phase)] if deleted else [])
