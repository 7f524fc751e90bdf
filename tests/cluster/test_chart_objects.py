"""What the chart renders is what a cluster takes."""

import json
from pathlib import Path

import helm_python
import kubernetes_validate
import pytest
import yaml
from manifests.rendering.chart import CHART, PROFILES, embedded, merged, profile_values, render, render_files
from tests.support.cluster_objects import CUSTOM, RELEASES, VERSIONS, crd_fault, pod_specs, rendered

from rdiverse.config import load_config
from rdiverse.config.cluster import load_cluster
from rdiverse.selfplay.steps import PHASES
from rdiverse_pipelines.cluster.settings import ReleaseSettings

CERTIFICATE = "Certificate"
"""cert-manager's definition is not among those that are looked at here."""

every_release = pytest.mark.parametrize("release", RELEASES)


@every_release
def test_it_lints(release: str) -> None:
    report = helm_python.lint(CHART, RELEASES[release], strict=True)
    assert report["errors"] == []
    assert [each["error"] for each in report["messages"]] == ["icon is recommended"]


@pytest.mark.parametrize("version", VERSIONS)
def test_core_objects_are_valid(version: str) -> None:
    different = {json.dumps(each, sort_keys=True) for release in RELEASES for each in rendered(release)}
    core = [found for text in sorted(different) if (found := json.loads(text))["kind"] not in {*CUSTOM, CERTIFICATE}]
    assert {"StatefulSet", "Deployment", "HorizontalPodAutoscaler", "NetworkPolicy", "Role", "Pod"} <= {e["kind"] for e in core}
    for each in core:
        assert kubernetes_validate.validate(each, version, strict=True) == version.rpartition(".")[0]


@every_release
def test_custom_resources_are_valid(release: str) -> None:
    custom = [each for each in rendered(release) if each["kind"] in CUSTOM]
    assert {"InferenceService", "PyTorchJob"} <= {each["kind"] for each in custom}
    assert [fault for each in custom if (fault := crd_fault(each))] == []


@pytest.mark.parametrize("kind", CUSTOM)
def test_the_check_of_custom_resources_sees_mistakes(kind: str) -> None:
    [found, *_] = [each for each in rendered("4gpu, everything") if each["kind"] == kind]
    found["spec"]["unheardOf"] = 1
    assert "unheardOf" in crd_fault(found)


def test_the_defaults_are_the_profile_of_eight_gpus() -> None:
    values = profile_values("8gpu")
    assert render(values) == render({"image": values["image"], "milvus": values["milvus"]})


@every_release
def test_nothing_of_an_operator_is_needed_that_no_value_asks_for(release: str) -> None:
    groups = {each["apiVersion"].partition("/")[0] for each in rendered(release)}
    assert ("monitoring.coreos.com" in groups) == (release.endswith(("monitored", "everything")))
    assert ("cert-manager.io" in groups) == (release.endswith(("secured", "everything")))


@pytest.mark.parametrize("profile", PROFILES)
def test_runs_and_servers_can_read_what_is_for_them(profile: str, tmp_path: Path) -> None:
    objects = render(profile_values(profile), "r1", "team-a")
    [config] = [each for each in objects if each["kind"] == "ConfigMap" and each["metadata"]["name"] == "r1-config"]
    (tmp_path / "config.yaml").write_text(config["data"]["config.yaml"])
    served = load_config(tmp_path / "config.yaml")
    assert str(served.workspace) == "/workspace"

    [run] = [each for each in objects if each["kind"] == "ConfigMap" and each["metadata"]["name"] == "r1-run"]
    for name, text in run["data"].items():
        (tmp_path / name).write_text(text)
    cluster = load_cluster(tmp_path / "cluster.yaml")
    assert (cluster.release, cluster.namespace) == ("r1", "team-a")
    assert set(cluster.plan) == set(PHASES)
    assert cluster.addresses.diversity == "dns:///r1-diversity.team-a.svc:9000"
    assert (cluster.addresses.encoder is None) == (served.encoder.kind == "structural")
    assert ReleaseSettings.read(tmp_path / "cluster.yaml").policy["kind"] == "InferenceService"


@every_release
def test_every_address_is_a_headless_service_of_the_release(release: str) -> None:
    objects = rendered(release)
    services = [each for each in objects if each["kind"] == "Service" and each["spec"]["clusterIP"] == "None"]
    headless = {
        f"dns:///{each['metadata']['name']}.rdiverse.svc:{port['port']}" for each in services for port in each["spec"]["ports"]
    }
    told = {address for address in embedded(objects, "cluster.yaml")["addresses"].values() if address}
    for _, pod in pod_specs(objects):
        environment = [entry for container in pod["containers"] for entry in container.get("env", [])]
        told |= {entry["value"] for entry in environment if entry["name"].endswith("_ADDRESS")}
    assert told <= headless


@every_release
def test_every_service_finds_the_pods_of_its_server(release: str) -> None:
    objects = rendered(release)
    labels = {}
    for each in objects:
        if each["kind"] == "InferenceService":
            labels[each["metadata"]["name"]] = each["spec"]["predictor"]["labels"]
        elif each["kind"] in {"StatefulSet", "Deployment"}:
            labels[each["metadata"]["name"]] = each["spec"]["template"]["metadata"]["labels"]
    for each in objects:
        if each["kind"] == "Service":
            server = each["metadata"]["name"].removesuffix("-headless")
            assert [name for name, own in labels.items() if each["spec"]["selector"].items() <= own.items()] == [server]


@every_release
def test_servers_of_models_are_as_kserve_wants_them(release: str) -> None:
    for each in rendered(release):
        if each["kind"] != "InferenceService":
            continue
        assert each["metadata"]["annotations"]["serving.kserve.io/deploymentMode"] == "Standard"
        assert each["metadata"]["annotations"]["serving.kserve.io/autoscalerClass"] == "none"
        predictor = each["spec"]["predictor"]
        assert predictor["deploymentStrategy"] == {"type": "Recreate"}, "the old pod's GPU is free when the pod has gone"
        assert not {"minReplicas", "maxReplicas"} & set(predictor), "an upgrade would undo a run's scaling"
        [container] = predictor["containers"]
        assert [port["name"] for port in container["ports"]] == ["h2c"]
        assert "PYTHONPATH" not in {entry["name"] for entry in container["env"]}
        secure = release.endswith(("secured", "everything"))
        for probe, service in (("startupProbe", "liveness"), ("livenessProbe", "liveness"), ("readinessProbe", "")):
            if secure:
                assert f"--service={service}" in container[probe]["exec"]["command"], "the kubelet's gRPC probe speaks no TLS"
            else:
                assert container[probe]["grpc"] == {"port": 9000, "service": service}
        assert container["startupProbe"]["periodSeconds"] * container["startupProbe"]["failureThreshold"] >= 600


@every_release
def test_no_secret_is_written_down(release: str) -> None:
    assert not [each for each in rendered(release) if each["kind"] == "Secret"]


def test_two_releases_in_one_namespace_share_nothing() -> None:
    values = RELEASES["4gpu, everything"]
    shared = {"workspace": {"existingClaim": ""}}
    one, other = (render(values | shared, name, "ns") for name in ("red", "blue"))
    names = [{(each["kind"], each["metadata"]["name"]) for each in objects} for objects in (one, other)]
    assert not names[0] & names[1]
    for mine, theirs in ((one, other), (other, one)):
        pods = [labels for each in theirs for labels in _pod_labels(each)]
        for selector in (selector for each in mine for selector in _selectors(each)):
            assert not [labels for labels in pods if selector.items() <= labels.items()], selector
    groups = [
        {group["name"] for each in objects if each["kind"] == "PrometheusRule" for group in each["spec"]["groups"]}
        for objects in (one, other)
    ]
    assert not groups[0] & groups[1]


def test_pods_take_no_port_of_a_node() -> None:
    for name, pod in pod_specs(rendered("4gpu, everything")):
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod), name
        assert not [port for container in pod["containers"] for port in container.get("ports", []) if "hostPort" in port], name


def test_notes_say_what_is_next() -> None:
    notes = render_files(profile_values("cpu"), "r1", "team-a")["rdiverse/templates/NOTES.txt"]
    assert "helm test r1 --namespace team-a" in notes
    assert "settings=r1-run workspace=r1-workspace client_secret=r1-client" in notes
    assert "wait --for condition=Ready --timeout 1h inferenceservices --selector app.kubernetes.io/instance=r1" in notes


def test_labels_of_servers_and_jobs_are_values() -> None:
    queue = {"kueue.x-k8s.io/queue-name": "team"}
    objects = render(merged(profile_values("8gpu"), {"serverLabels": queue, "jobLabels": queue, "gpuResource": "amd.com/gpu"}))
    servers = [each for each in objects if each["kind"] == "InferenceService"] + [embedded(objects, "policy.yaml")]
    for each in servers:
        assert queue.items() <= each["metadata"]["labels"].items()
        limits = each["spec"]["predictor"]["containers"][0]["resources"]["limits"]
        assert limits["amd.com/gpu"] == 1
        assert "nvidia.com/gpu" not in limits
    cluster = embedded(objects, "cluster.yaml")
    assert (cluster["job_labels"], cluster["gpu_resource"]) == (queue, "amd.com/gpu")


@every_release
def test_no_version_is_in_what_kserve_copies_into_pods(release: str) -> None:
    for each in rendered(release):
        if each["kind"] == "InferenceService":
            assert not {"helm.sh/chart", "app.kubernetes.io/version"} & each["metadata"]["labels"].keys()


def _selectors(found: dict) -> list[dict]:
    spec = found.get("spec", {})
    if found["kind"] == "Service":
        return [spec["selector"]]
    selector = spec.get("selector") or spec.get("podSelector")
    made = [selector["matchLabels"]] if isinstance(selector, dict) else []
    return made + [made for text in found.get("data", {}).values() if isinstance(made := _selector_in(text), dict)]


def _selector_in(text: str) -> dict | None:
    loaded = yaml.safe_load(text) if "selector:" in text and "kind: Service" in text else None
    return loaded["spec"]["selector"] if loaded and loaded["kind"] == "Service" else None


def _pod_labels(found: dict) -> list[dict]:
    spec = found.get("spec", {})
    if found["kind"] == "Pod":
        return [found["metadata"]["labels"]]
    if found["kind"] == "InferenceService":
        return [spec["predictor"]["labels"]]
    if found["kind"] in {"StatefulSet", "Deployment"}:
        return [spec["template"]["metadata"]["labels"]]
    if found["metadata"]["name"].endswith("-run") and found["kind"] == "ConfigMap":
        policy, trainer = (yaml.safe_load(found["data"][name]) for name in ("policy.yaml", "trainer.yaml"))
        return [policy["spec"]["predictor"]["labels"], trainer["metadata"]["labels"]]
    return []
