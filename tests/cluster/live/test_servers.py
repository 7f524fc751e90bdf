"""What KServe makes of the chart's InferenceServices as they change."""

import re
import shutil
import time
from pathlib import Path

from manifests.rendering.chart import CHART
from tests.support.live_cluster import Object, Space, namespace, until
from tests.support.live_release import RELEASE, ready, set_values, unpacked_before

CODER = f"{RELEASE}-coder-predictor"


def of_version(chart: Path, folder: Path, version: str) -> str:
    """A copy of a chart that differs in nothing but its version."""
    copy = folder / version / "rdiverse"
    shutil.copytree(chart, copy)
    text = (copy / "Chart.yaml").read_text()
    (copy / "Chart.yaml").write_text(re.sub(r"(?m)^(version|appVersion): .*$", rf"\1: {version}", text))
    return str(copy)


def upgraded_in_version_alone(space: Space, chart: Path, folder: Path) -> tuple[Object, Object]:
    """Install a chart and upgrade it by its version; gives the coder's and the memory's pods before and after: name -> uid."""
    values = set_values(folder, "cpu", chart, image={"tag": "same"})
    space.helm("install", RELEASE, of_version(chart, folder, "1.0.0"), *values)
    space.there("deployments", CODER)
    before = until(lambda: two(pods(space)), "a pod of the coder and one of the memory")
    space.helm("upgrade", RELEASE, of_version(chart, folder, "1.0.1"), *values)
    [memory] = space.listed("statefulsets")
    assert memory["metadata"]["labels"]["helm.sh/chart"] == "rdiverse-1.0.1"
    time.sleep(5)
    return before, pods(space)


def pods(space: Space) -> Object:
    return {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in space.listed("pods")}


def two(found: Object) -> Object | None:
    return found if len(found) == 2 else None


def test_an_upgrade_of_the_version_alone_restarts_nothing(tmp_path: Path) -> None:
    with namespace("restricted") as space:
        before, after = upgraded_in_version_alone(space, CHART, tmp_path)
        assert after == before
        replica_sets = space.listed("replicasets")
        assert len({each["metadata"]["labels"]["pod-template-hash"] for each in replica_sets}) == 1


def test_with_the_chart_before_it_restarted_the_coder(tmp_path: Path) -> None:
    with namespace("baseline") as space:
        before, after = upgraded_in_version_alone(space, unpacked_before(tmp_path), tmp_path)
        assert [name for name in before if name not in after] == [name for name in before if name.startswith(CODER)]


def test_a_server_is_ready_when_all_its_pods_are(tmp_path: Path) -> None:
    with namespace("restricted") as space:
        space.helm("install", RELEASE, str(CHART), *set_values(tmp_path, "cpu"))
        space.there("deployments", CODER)
        service = ("inferenceservice", f"{RELEASE}-coder", "--type", "merge", "--patch")
        space.kubectl("patch", *service, '{"spec": {"predictor": {"minReplicas": 2, "maxReplicas": 2}}}')
        first, second = sorted(until(lambda: two(coders(space)), "two pods"))
        assert ready(space, "coder") == "False"
        space.play(first, "Running", ready=True)
        time.sleep(3)
        assert ready(space, "coder") == "False"
        space.play(second, "Running", ready=True)
        until(lambda: ready(space, "coder") == "True", "both pods are ready, and the server is")


def test_a_new_template_waits_for_the_old_pod_to_be_gone(tmp_path: Path) -> None:
    """A GPU is free when its pod has gone, not when it was told to go."""
    with namespace("restricted") as space:
        space.helm("install", RELEASE, str(CHART), *set_values(tmp_path, "cpu"))
        [old] = until(lambda: coders(space), "a pod")
        space.bind(old, "a-node-that-does-not-answer")
        service = ("inferenceservice", f"{RELEASE}-coder", "--type", "merge", "--patch")
        space.kubectl("patch", *service, '{"spec": {"predictor": {"annotations": {"rdiverse.dev/config": "another"}}}}')
        until(lambda: (space.find("pods", old) or {})["metadata"].get("deletionTimestamp"), "the old pod is told to go")
        time.sleep(3)
        assert list(coders(space)) == [old]
        space.kubectl("delete", "pod", old, "--grace-period", "0", "--force")
        until(lambda: set(coders(space)) - {old}, "the new pod")


def test_a_note_on_an_inference_service_restarts_its_pods(tmp_path: Path) -> None:
    """Why runs write none."""
    with namespace("restricted") as space:
        space.helm("install", RELEASE, str(CHART), *set_values(tmp_path, "cpu"))
        [old] = until(lambda: coders(space), "a pod")
        service = ("inferenceservice", f"{RELEASE}-coder", "--type", "merge", "--patch")
        space.kubectl("patch", *service, '{"metadata": {"annotations": {"rdiverse.dev/note": "x"}}}')
        until(lambda: set(coders(space)) - {old}, "another pod")


def coders(space: Space) -> Object:
    return {name: uid for name, uid in pods(space).items() if name.startswith(CODER)}
