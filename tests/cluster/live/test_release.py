"""A release of every profile on a real cluster: installed as it was before, upgraded, uninstalled."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from manifests.rendering.chart import CHART, PROFILES
from tests.support.live_cluster import Object, Space, namespace, until
from tests.support.live_release import RELEASE, install_before, ready, set_values

LEVELS = ("baseline", "restricted")
KEPT = {f"persistentvolumeclaim/{RELEASE}-workspace", f"persistentvolumeclaim/data-{RELEASE}-diversity-0"}
"""What an uninstalled release leaves on purpose: runs, and the memory."""


@dataclass(frozen=True)
class Release:
    profile: str
    space: Space

    @property
    def servers(self) -> list[str]:
        """Components that are InferenceServices."""
        return sorted(each["metadata"]["name"].removeprefix(f"{RELEASE}-") for each in self.space.listed("inferenceservices"))

    def deployment(self, server: str) -> Object:
        return self.space.there("deployments", f"{RELEASE}-{server}-predictor")

    def pods(self, component: str) -> list[Object]:
        return self.space.listed("pods", f"app.kubernetes.io/instance={RELEASE},app.kubernetes.io/component={component}")


@pytest.fixture(scope="module", params=[(profile, level) for level in LEVELS for profile in PROFILES], ids="-".join)
def release(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    """Installed from the chart before, then upgraded to this one."""
    profile, level = request.param
    folder = tmp_path_factory.mktemp(profile)
    with namespace(level) as space:
        install_before(space, folder, profile)
        space.helm("upgrade", RELEASE, str(CHART), *set_values(folder, profile))
        yield Release(profile, space)


def test_every_server_gets_a_deployment_with_our_resources(release: Release) -> None:
    assert release.servers == (["coder"] if release.profile == "cpu" else ["coder", "encoder"])
    for server in release.servers:
        asked = container(release.space.there("inferenceservices", f"{RELEASE}-{server}")["spec"]["predictor"])
        until(lambda server=server, asked=asked: resources_of(release, server) == asked["resources"], "the Deployment has them")
        assert release.deployment(server)["spec"]["strategy"] == {"type": "Recreate"}
        limits = asked["resources"]["limits"]
        assert limits["cpu"] == {"8gpu": "128", "4gpu": "64", "cpu": "4"}[release.profile]
        assert ("nvidia.com/gpu" in limits) == (release.profile != "cpu")


def test_every_pod_is_admitted(release: Release) -> None:
    for component in [*release.servers, "diversity"]:
        until(lambda component=component: release.pods(component), f"a pod of the {component}")
    assert not [said for said in release.space.warnings() if said.startswith("FailedCreate")]


def test_a_server_without_a_pod_that_is_ready_is_not_ready(release: Release) -> None:
    for server in release.servers:
        until(lambda server=server: release.pods(server), f"a pod of the {server}")
        until(lambda server=server: ready(release.space, server) == "False", f"the {server} says that it is not ready")


def test_uninstalling_leaves_the_volumes_and_nothing_else(release: Release) -> None:
    """The last test of a release."""
    release.space.helm("uninstall", RELEASE, "--wait")
    born_with = {"configmap/kube-root-ca.crt", "serviceaccount/default"}
    until(lambda: release.space.everything() - KEPT == born_with, "only the volumes are left", 90)


@pytest.mark.parametrize("profile", ["8gpu", "4gpu"])
def test_the_chart_before_got_no_servers(profile: str, tmp_path: Path) -> None:
    with namespace("baseline") as space:
        install_before(space, tmp_path, profile)
        refusal = "must be less than or equal to cpu limit of 1"
        until(lambda: [said for said in space.warnings() if refusal in said], "KServe's complaint")
        assert not space.listed("deployments", f"app.kubernetes.io/instance={RELEASE}")


def test_a_server_of_the_chart_before_was_ready_without_a_pod(tmp_path: Path) -> None:
    with namespace("baseline") as space:
        install_before(space, tmp_path, "cpu")
        until(lambda: ready(space, "coder") == "True", "the coder calls itself ready")
        assert {pod["status"]["phase"] for pod in space.listed("pods")} <= {"Pending"}


def container(pod: Object) -> Object:
    [found] = pod["containers"]
    return found


def resources_of(release: Release, server: str) -> Object:
    """Of a server's Deployment."""
    return container(release.deployment(server)["spec"]["template"]["spec"])["resources"]
