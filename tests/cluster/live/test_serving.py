"""Runs serve weights and share the coder on a real cluster, with the rights of their own account: which pods start."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from manifests.rendering.chart import CHART
from tests.support.live_cluster import Space, namespace, until
from tests.support.live_kubelet import Kubelet, api
from tests.support.live_release import RELEASE, set_values

from rdiverse.runs.folder import RunFolder
from rdiverse.selfplay.roles import Role
from rdiverse_pipelines.cluster.api import Api
from rdiverse_pipelines.cluster.objects import RunObjects
from rdiverse_pipelines.cluster.serving import serve_policy
from rdiverse_pipelines.cluster.settings import ReleaseSettings
from rdiverse_pipelines.cluster.shared import claim_replicas
from rdiverse_pipelines.policy import Policy

FIRST, SECOND = (Policy(Path(f"/workspace/weights/{name}"), name) for name in ("v1", "v2"))
ACCOUNT = "pipeline-runner"


@dataclass(frozen=True)
class Cluster:
    space: Space
    kubelet: Kubelet
    api: Api
    settings: ReleaseSettings
    workspace: Path

    def run(self, name: str) -> RunObjects:
        folder = RunFolder.of(self.workspace, name)
        folder.root.mkdir(parents=True, exist_ok=True)
        return RunObjects(self.settings, folder)

    def started(self, server: str) -> list[str]:
        """Pods of a server that ever began; looked at when nothing more can come of what was done."""
        time.sleep(4)
        return [name for name in self.kubelet.started if name.startswith(f"{server}-predictor-")]

    def there(self, server: str) -> set[str]:
        names = {pod["metadata"]["name"] for pod in self.space.listed("pods")}
        return {name for name in names if name.startswith(f"{server}-predictor-")}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with namespace("restricted") as space:
        space.kubectl("create", "serviceaccount", ACCOUNT)
        space.helm("install", RELEASE, str(CHART), *set_values(tmp_path, "cpu"))
        for name, text in space.there("configmaps", f"{RELEASE}-run")["data"].items():
            (tmp_path / name).write_text(text)
        with Kubelet(space).running() as kubelet:
            settings = ReleaseSettings.read(tmp_path / "cluster.yaml")
            yield Cluster(space, kubelet, api(space, ACCOUNT), settings, tmp_path)


def test_eight_replicas_start_once_for_each_weights(cluster: Cluster) -> None:
    run = cluster.run("one")
    server = run.name(Role.SOLVER)
    serve_policy(cluster.api, run, Role.SOLVER, FIRST, 8)
    assert len(cluster.started(server)) == 8
    serve_policy(cluster.api, run, Role.SOLVER, FIRST, 8)
    assert len(cluster.started(server)) == 8, "what is served already is left alone"
    serve_policy(cluster.api, run, Role.SOLVER, SECOND, 8)
    assert len(cluster.started(server)) == 16
    assert len(cluster.there(server)) == 8


def test_runs_that_share_the_coder_restart_none_of_its_pods(cluster: Cluster) -> None:
    coder, one, two = f"{RELEASE}-coder", cluster.run("one"), cluster.run("two")

    def claim(run: RunObjects, count: int | None) -> int:
        return claim_replicas(cluster.api, run, Role.CODER, count, grow=True)

    [first] = until(lambda: cluster.there(coder), "the coder's pod")
    assert claim(one, 1) == 1
    assert claim(two, 1) == 1
    assert cluster.started(coder) == [first], "a run that begins beside another"
    assert claim(two, 2) == 2
    until(lambda: len(cluster.there(coder)) == 2, "one more")
    assert first in cluster.there(coder)
    assert len(cluster.started(coder)) == 2
    assert claim(two, None) == 1
    until(lambda: len(cluster.there(coder)) == 1, "one less")
    assert len(cluster.started(coder)) == 2, "a run that ends beside another"
    assert cluster.space.there("configmaps", f"{RELEASE}-claims")["data"] == {"coder": '{"one": 1}'}
    assert claim(one, None) == 1
    assert not cluster.space.there("configmaps", f"{RELEASE}-claims").get("data")


def test_an_upgrade_leaves_the_claims(cluster: Cluster, tmp_path: Path) -> None:
    claim_replicas(cluster.api, cluster.run("one"), Role.CODER, 2, grow=True)
    cluster.space.helm("upgrade", RELEASE, str(CHART), *set_values(tmp_path, "cpu"))
    assert cluster.space.there("configmaps", f"{RELEASE}-claims")["data"] == {"coder": '{"one": 2}'}
    spec = cluster.space.there("inferenceservices", f"{RELEASE}-coder")["spec"]["predictor"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 2)
