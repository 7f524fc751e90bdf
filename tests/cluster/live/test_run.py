"""What a run makes, by the product's own code, before the real API server, its webhooks and the real operators."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from manifests.rendering.chart import CHART, PROFILES
from tests.support.live_cluster import Object, RefusedError, Space, namespace, until
from tests.support.live_release import RELEASE, set_values

from rdiverse.runs.folder import RunFolder
from rdiverse.selfplay.roles import POLICY_ROLES, Role
from rdiverse.training.launch import Phase
from rdiverse.training.launch.pytorchjob import pytorch_job
from rdiverse_pipelines.cluster.objects import RunObjects
from rdiverse_pipelines.cluster.settings import ReleaseSettings
from rdiverse_pipelines.policy import Policy

ACCOUNT = "pipeline-runner"
RUNS = ("first", "r-diverse-without-replay-seed0", "Capital_and.dots", "a" * 63, "x" * 100)
PATHS = dict.fromkeys(
    ("config_path", "model", "output", "resume_dir", "log_path", "metrics_path", "events_path"), Path("/workspace/x")
)


class Run:
    """A run in a release that is installed, its settings read from the cluster as its steps read them."""

    def __init__(self, space: Space, folder: Path, run: str = "first") -> None:
        for name, text in space.there("configmaps", f"{RELEASE}-run")["data"].items():
            (folder / name).write_text(text)
        self.space, self.name = space, run
        self.objects = RunObjects(ReleaseSettings.read(folder / "cluster.yaml"), RunFolder.of(Path("/workspace"), run))

    def servers(self) -> list[Object]:
        policy = Policy(Path("/workspace/runs/x/iteration-01/solver"), "v" * 16)
        return [self.objects.inference_service(role, policy, 2) for role in POLICY_ROLES]

    def services(self) -> list[Object]:
        return [self.objects.service(role) for role in POLICY_ROLES]

    def phase(self, role: Role = Role.SOLVER) -> Phase:
        return Phase(role=role, iteration=1, seed=0, run=self.name, metrics_address="0.0.0.0:9100", **PATHS)

    def job(self, role: Role = Role.SOLVER, pods: int = 1) -> Object:
        phase = self.phase(role)
        processes = max(self.objects.settings.cluster.gpus_each.trainer, 1) * pods
        return pytorch_job(phase, processes, self.space.name, self.objects.settings.trainer, {}, RELEASE)


@pytest.fixture(scope="module", params=PROFILES)
def space(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    """A release in a namespace that enforces `restricted`, for the account of pipeline steps."""
    with namespace("restricted") as made:
        made.kubectl("create", "serviceaccount", ACCOUNT)
        made.helm("install", RELEASE, str(CHART), *set_values(tmp_path_factory.mktemp("values"), request.param))
        yield made


@pytest.mark.parametrize("name", RUNS)
def test_every_object_of_a_run_is_taken(space: Space, name: str, tmp_path: Path) -> None:
    run = Run(space, tmp_path, name)
    jobs = [run.job(role) for role in (Role.CHALLENGER, Role.SOLVER)]
    for found in [*run.services(), *run.servers(), *jobs]:
        space.send(found, "--dry-run=server", account=ACCOUNT)


def test_pods_of_servers_and_trainers_fit_the_restricted_standard(space: Space, tmp_path: Path) -> None:
    run = Run(space, tmp_path)
    trainer = run.job()["spec"]["pytorchReplicaSpecs"]["Master"]["template"]
    kept = [space.send(server, "--dry-run=server") for server in run.servers()]
    specs = [each["spec"]["predictor"] for each in kept]
    servers = [{"metadata": {"labels": spec["labels"]}, "spec": pod_fields(space, spec)} for spec in specs]
    for template in [trainer, *servers]:
        space.send({"apiVersion": "v1", "kind": "Pod", **template, "metadata": {"name": "p"}}, "--dry-run=server")


def test_the_check_of_pods_sees_what_does_not_fit(space: Space, tmp_path: Path) -> None:
    pod = Run(space, tmp_path).job()["spec"]["pytorchReplicaSpecs"]["Master"]["template"]
    pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    with pytest.raises(RefusedError, match="violates PodSecurity"):
        space.send({"apiVersion": "v1", "kind": "Pod", **pod, "metadata": {"name": "p"}}, "--dry-run=server")


def test_a_runs_servers_and_trainer_get_their_pods_and_go_without_a_trace(space: Space, tmp_path: Path) -> None:
    run = Run(space, tmp_path)
    until(
        lambda: len(space.listed("pods")) == 2 + bool(run.objects.settings.cluster.addresses.encoder), "the release's own pods"
    )
    before = space.everything()
    made = [*run.services(), *run.servers(), run.job()]
    for found in made:
        space.send(found, account=ACCOUNT)
    for role in POLICY_ROLES:
        labels = ",".join(f"{key}={value}" for key, value in run.objects.labels(role).items())
        until(lambda labels=labels: len(space.listed("pods", labels)) == 2, f"two pods of the {role}")
    until(lambda: space.listed("pods", f"training.kubeflow.org/job-name={made[-1]['metadata']['name']}"), "the trainer's pod")
    assert not [said for said in space.warnings() if said.startswith("FailedCreate") or "Invalid value" in said]
    who = f"system:serviceaccount:{space.name}:{ACCOUNT}"
    for found in made:
        space.kubectl("delete", found["kind"], found["metadata"]["name"], "--as", who)
    until(lambda: space.everything() == before, "nothing of the run is left", 90)


@pytest.mark.parametrize("characters", [25, 42])
@pytest.mark.parametrize("name", ["r-diverse-seed0", "x" * 100])
def test_long_namespaces_leave_room_for_a_runs_servers(characters: int, name: str, tmp_path: Path) -> None:
    """KServe's host name of a server has a limit that no admission tells of."""
    with namespace("restricted", "n" * (characters - 9)) as space:
        space.helm("install", RELEASE, str(CHART), *set_values(tmp_path, "cpu"))
        for server in Run(space, tmp_path, name).servers():
            space.send(server)
            space.there("deployments", f"{server['metadata']['name']}-predictor")


def test_the_account_may_do_no_more_than_a_run_needs(space: Space) -> None:
    for verb, kind in (("create", "pods"), ("get", "secrets"), ("patch", "deployments"), ("delete", "configmaps")):
        with pytest.raises(RefusedError):
            space.kubectl("auth", "can-i", verb, kind, "--as", f"system:serviceaccount:{space.name}:{ACCOUNT}")


def pod_fields(space: Space, predictor: Object) -> Object:
    """A predictor without what is KServe's own."""
    own = ("minReplicas", "maxReplicas", "labels", "annotations", "deploymentStrategy", "model", "name")
    return {key: value for key, value in predictor.items() if key not in own}
