"""What a release may do, who may talk to it, and how its pods are confined."""

import pytest
import yaml
from manifests.rendering import security_table
from manifests.rendering.chart import REPOSITORY, Object, merged, profile_values, render
from tests.support.cluster_objects import RELEASES, embedded, pod_specs, rendered

every_release = pytest.mark.parametrize("release", RELEASES)
RIGHTS = {
    ("kubeflow.org", "pytorchjobs"): {"get", "list", "watch", "create", "delete"},
    ("serving.kserve.io", "inferenceservices"): {"get", "list", "watch", "create", "patch", "delete"},
    ("", "services"): {"get", "create", "delete"},
    ("", "configmaps rdiverse-claims"): {"get", "patch"},
    ("", "pods"): {"get", "list", "watch"},
    ("", "pods/log"): {"get"},
    ("", "events"): {"list"},
}
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}


def policies(objects: list[Object]) -> dict[str, Object]:
    return {each["metadata"]["name"]: each["spec"] for each in objects if each["kind"] == "NetworkPolicy"}


@every_release
def test_runs_get_what_they_need_and_nothing_else(release: str) -> None:
    objects = rendered(release)
    rows = security_table.rbac_rows(objects)
    assert {(group, what): set(verbs.split(", ")) for _, _, group, what, verbs in rows} == RIGHTS
    assert {who for who, *_ in rows} == {"pipeline-runner"}
    assert not [each for each in objects if each["kind"] in {"ClusterRole", "ClusterRoleBinding"}]
    assert "*" not in {part for row in rows for cell in row for part in cell.split(", ")}


def test_without_rbac_nobody_gets_a_right() -> None:
    objects = render(merged(profile_values("8gpu"), {"pipelines": {"rbac": False}}))
    assert security_table.rbac_rows(objects) == []
    assert not [each for each in objects if each["kind"] == "RoleBinding"]


@every_release
def test_pods_fit_the_restricted_standard(release: str) -> None:
    specs = dict(pod_specs(rendered(release)))
    assert len(specs) >= 4
    for name, pod in specs.items():
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["securityContext"].get("runAsUser") != 0, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod), name
        for volume in pod["volumes"]:
            assert set(volume) - {"name"} <= VOLUMES, name
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False, name
            assert context["capabilities"] == {"drop": ["ALL"]}, name
            assert not {"privileged", "procMount"} & set(context), name


@every_release
def test_pods_go_further_than_the_standard(release: str) -> None:
    for name, pod in pod_specs(rendered(release)):
        assert pod["automountServiceAccountToken"] is False, name
        for container in pod["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True, name
            assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}, name
            assert {"cpu", "memory"} <= set(container["resources"]["requests"]), name
            assert {"cpu", "memory"} <= set(container["resources"]["limits"]), name


def test_users_may_be_left_to_the_platform() -> None:
    openshift = {"securityContext": {"runAsUser": None, "runAsGroup": None, "fsGroup": None}}
    for _, pod in pod_specs(render(merged(profile_values("cpu"), openshift))):
        assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


@every_release
def test_secrets_are_mounted_only_where_they_are_used(release: str) -> None:
    for name, pod in pod_specs(rendered(release)):
        secrets = {volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume}
        if name.startswith(("PyTorchJob", "Pod ")):
            assert secrets == {"rdiverse-client"}, name
        elif name.startswith("InferenceService"):
            assert secrets <= {"rdiverse-server"}, name
        else:
            assert secrets <= {"rdiverse-server", "tokens", "m", "ca"}, name


@every_release
def test_everything_of_the_release_is_denied_by_default(release: str) -> None:
    objects = rendered(release)
    found = policies(objects)
    default = found["rdiverse-default"]
    assert (default["policyTypes"], default["ingress"]) == (["Ingress", "Egress"], [])
    assert {port["port"] for rule in default["egress"] for port in rule["ports"]} == {53, 5353}
    pods = [embedded(objects, "trainer.yaml")["metadata"]["labels"]]
    for each in objects:
        if each["kind"] == "Pod":
            pods.append(each["metadata"]["labels"])
        elif each["kind"] == "InferenceService":
            pods.append(each["spec"]["predictor"]["labels"])
        elif each["kind"] in {"StatefulSet", "Deployment"}:
            pods.append(each["spec"]["template"]["metadata"]["labels"])
    for labels in pods:
        assert default["podSelector"]["matchLabels"].items() <= labels.items()
        own = [name for name, spec in found.items() if spec["podSelector"]["matchLabels"].items() <= labels.items()]
        assert len(own) == 2, f"{labels}: its own and the default one"


@every_release
def test_what_one_side_may_call_the_other_side_answers(release: str) -> None:
    """A line that only one policy opens is a line that nobody can use, and a mistake."""
    found = policies(rendered(release))
    inside = {name.removeprefix("rdiverse-") for name in found} - {"default"}
    out = {row for row in security_table.network_rows(rendered(release)) if row[0] in inside and row[1] in inside}
    for name, spec in found.items():
        for rule in spec.get("egress", []):
            for peer in rule.get("to", []):
                component = peer.get("podSelector", {}).get("matchLabels", {}).get("app.kubernetes.io/component")
                if component:
                    assert any(row[:2] == (name.removeprefix("rdiverse-"), component) for row in out), (name, component)


def test_models_are_asked_only_by_those_who_need_them() -> None:
    rows = security_table.network_rows(security_table.fullest())
    assert {source for source, to, port in rows if to == "policy" and port == "9000/TCP"} == {
        "trainer",
        "step (of any release)",
    }
    callers = {"diversity", "diversity-read", "test", "step (of any release)"}
    for model in ("coder", "encoder"):
        assert {source for source, to, port in rows if to == model and port == "9000/TCP"} == callers
    assert {to for source, to, _ in rows if source == "policy"} == {to for _, to, port in rows if port == "443/TCP"}


def test_offline_nobody_reaches_the_internet() -> None:
    objects = render(merged(profile_values("8gpu"), {"hub": {"offline": True}}))
    assert not [row for row in security_table.network_rows(objects) if "443" in row[2]]
    environment = [entry for _, pod in pod_specs(objects) for entry in pod["containers"][0].get("env", [])]
    assert {"name": "HF_HUB_OFFLINE", "value": "1"} in environment


def test_milvus_is_reached_on_its_own_port_and_where_a_value_says() -> None:
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "milvus"}}}
    values = {"milvus": {"external": {"uri": "https://milvus.example:443"}}, "networkPolicy": {"milvusTo": [peer]}}
    rows = security_table.network_rows(render(merged(profile_values("8gpu"), values)))
    assert ("diversity", "pods of namespace milvus", "443/TCP") in rows
    assert not [row for row in rows if row[1] == "any address"]
    assert not [row for row in security_table.network_rows(render(profile_values("cpu"))) if "19530" in row[2]], "on loopback"


def test_more_callers_are_let_in_by_value() -> None:
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "team-b"}}}
    values = {"networkPolicy": {"diversityFrom": [peer], "modelsFrom": [peer]}}
    rows = security_table.network_rows(render(merged(profile_values("8gpu"), values)))
    assert {to for source, to, _ in rows if source == "pods of namespace team-b"} == {"diversity", "coder", "encoder"}


def test_the_tables_of_the_docs_are_those_of_the_objects() -> None:
    page = (REPOSITORY / "docs" / "security.md").read_text()
    assert page.count("<!-- table: ") == 2
    assert security_table.filled(page) == page


def test_the_table_would_show_a_line_too_many() -> None:
    objects = security_table.fullest()
    policies(objects)["rdiverse-coder"]["ingress"][0]["from"].append({"namespaceSelector": {}})
    more = set(security_table.network_rows(objects)) - set(security_table.network_rows(security_table.fullest()))
    assert more == {("pods of any namespace", "coder", "9000/TCP")}


def test_certificates_are_for_the_names_that_clients_call() -> None:
    objects = rendered("8gpu, secured")
    certificates = {each["metadata"]["name"]: each["spec"] for each in objects if each["kind"] == "Certificate"}
    assert certificates["rdiverse-server"]["dnsNames"] == ["*.rdiverse.svc"]
    assert {"server auth", "client auth"} <= set(certificates["rdiverse-server"]["usages"]), "servers call each other"
    assert "server auth" not in certificates["rdiverse-client"]["usages"]
    addresses = yaml.safe_dump(embedded(objects, "cluster.yaml")["addresses"])
    assert addresses.count(".rdiverse.svc:9000") == 3
