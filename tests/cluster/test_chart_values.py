"""Wrong values are refused before anything is installed, with a message that names the value."""

import json
import re
from typing import Any

import helm_python
import jsonschema
import pytest
from manifests.rendering.chart import CHART, Object, embedded, merged, profile_values, render
from manifests.rendering.values_table import values
from tests.support.cluster_objects import RELEASES, pod_specs

from rdiverse.config.cluster import Shares
from rdiverse.config.run import RunConfig
from rdiverse.selfplay.steps import PHASES


def changed(profile: str, path: str, value: Any) -> Object:
    """A profile's values with one more."""
    nested = value
    for key in reversed(path.split("/")):
        nested = {key: nested}
    return merged(profile_values(profile), nested)


def refusal(release_values: Object, release: str = "rdiverse") -> str:
    with pytest.raises(helm_python.HelmError) as refused:
        render(release_values, release)
    return str(refused.value)


TYPOS = ["imge", "image/tagg", "coder/gpu", "milvus/external/url", "plan/train", "config/inference/max_len", "tls/enable",
         "networkPolicy/enable", "diversity/read/autoscaling/max", "monitoring/prometheus"]  # fmt: skip


@pytest.mark.parametrize("path", TYPOS)
def test_typos(path: str) -> None:
    above, _, last = path.rpartition("/")
    message = refusal(changed("8gpu", path, 1))
    assert f"'{'/' if above else ''}{above}'" in message
    assert f"'{last}' not allowed" in message


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("gpus", "8"),
        ("nodeCPUs", 0),
        ("gpuResource", "gpu"),
        ("jobLabels", {"queue": 1}),
        ("serverLabels", {"queue": 1}),
        ("image/prefix", "https://registry.example.com"),
        ("image/tag", "a tag"),
        ("image/pullPolicy", "Sometimes"),
        ("image/digests/training", "sha256:12"),
        ("coder/gpus", -1),
        ("coder/shm", "2 GB"),
        ("coder/startupSeconds", 1),
        ("coder/env", {"A": 1}),
        ("coder/resources/limits/memory", "lots"),
        ("policy/tolerations", {"key": "x"}),
        ("policy/priorityClassName", "High!"),
        ("plan/label/solver", 1.5),
        ("config/inference/engine", "sglang"),
        ("config/inference/gpu_memory_utilization", 1.5),
        ("config/inference/max_model_len", 4),
        ("config/encoder/kind", "none"),
        ("milvus/external/uri", "milvus:19530"),
        ("workspace/accessModes", []),
        ("workspace/size", "big"),
        ("serving/weightsSeconds", 0),
        ("diversity/read/replicas", -1),
        ("diversity/read/autoscaling/targetCPU", 200),
        ("securityContext/runAsUser", 0),
        ("monitoring/interval", "30"),
        ("networkPolicy/metricsFrom", [{}]),
        ("tls/certManager/issuer/kind", "Vault"),
        ("reflection", "off"),
        ("podLabels", {"team": 1}),
        ("pipelines/serviceAccount", ""),
    ],
)
def test_wrong_types_and_values_out_of_range(path: str, value: Any) -> None:
    assert f"'/{path}" in refusal(changed("8gpu", path, value))


@pytest.mark.parametrize("missing", ["requests/cpu", "requests/memory", "limits/memory"])
def test_every_container_has_requests_and_limits(missing: str) -> None:
    assert f"'/trainer/resources/{missing.partition('/')[0]}'" in refusal(changed("8gpu", f"trainer/resources/{missing}", None))


def test_certificates_come_from_the_secret_that_the_values_name_where_none_is_given() -> None:
    objects = render(changed("8gpu", "tls/enabled", True))
    secrets = {
        volume["secret"]["secretName"] for _, pod in pod_specs(objects) for volume in pod["volumes"] if "secret" in volume
    }
    assert secrets == {"rdiverse-server", "rdiverse-client"}


def test_an_environment_that_kserve_refuses() -> None:
    assert "'/coder/env/PYTHONPATH'" in refusal(changed("8gpu", "coder/env", {"PYTHONPATH": "/x"}))


@pytest.mark.parametrize(
    ("profile", "changes", "said"),
    [
        (
            "8gpu",
            {"image": {"prefix": ""}},
            "image.prefix: is empty. No images are published: build them with services/Dockerfile",
        ),
        ("8gpu", {"milvus": {"external": {"uri": ""}}}, "milvus.external.uri: is empty; name a Milvus"),
        (
            "8gpu",
            {"milvus": {"embedded": {"enabled": True}}},
            "milvus.embedded.enabled: is true, and milvus.external.uri names",
        ),
        ("8gpu", {"milvus": {"external": {"caSecret": {"name": "ca"}}}}, "milvus.external.caSecret.name: is of use only where"),
        ("cpu", {"diversity": {"read": {"replicas": 1}}}, "diversity.read.replicas: read replicas need an external Milvus"),
        ("8gpu", {"diversity": {"read": {"autoscaling": {"enabled": True}}}}, "diversity.read.autoscaling.enabled: needs"),
        (
            "8gpu",
            {"diversity": {"read": {"replicas": 3, "autoscaling": {"enabled": True, "maxReplicas": 2}}}},
            "diversity.read.autoscaling.maxReplicas: is 2, less than diversity.read.replicas = 3",
        ),
        ("8gpu", {"coder": {"gpus": 2}}, "coder.gpus: is 2, but config.inference has engine vllm with tensor_parallel_size 1"),
        ("8gpu", {"encoder": {"gpus": 0}}, "encoder.gpus: is 0, but config.inference has engine vllm"),
        ("cpu", {"policy": {"gpus": 1}}, "policy.gpus: is 1, but config.inference.engine transformers computes on CPUs"),
        (
            "cpu",
            {"plan": {"label": {"encoder": 1}}},
            "plan.label.encoder: is 1, but config.encoder.kind structural has no server",
        ),
        ("8gpu", {"plan": {"label": {"solver": 0}}}, "plan.label.solver: is 0, and the phase cannot do without"),
        ("8gpu", {"plan": {"curate": {"encoder": 0}}}, "plan.curate.encoder: is 0, and the phase cannot do without"),
        ("8gpu", {"tls": {"certManager": {"enabled": True}}}, "tls.certManager.enabled: is true, but tls.enabled is false"),
        (
            "8gpu",
            {"coder": {"resources": {"limits": {"cpu": "500m"}}}},
            "coder.resources.requests.cpu: is 4, more than the limit of 500m (coder.resources.limits.cpu)",
        ),
        ("8gpu", {"nodeCPUs": 3}, "coder.resources.requests.cpu: is 4, more than the limit of 3 (nodeCPUs)"),
        (
            "8gpu",
            {"policy": {"resources": {"requests": {"memory": "50000Mi"}}}},
            "policy.resources.requests.memory: is 50000Mi, more than the limit of 48Gi (policy.resources.limits.memory)",
        ),
        (
            "cpu",
            {"milvus": {"embedded": {"resources": {"requests": {"cpu": 4.5}}}}},
            "milvus.embedded.resources.requests.cpu: is 4.5, more than the limit of 4 (nodeCPUs)",
        ),
        ("8gpu", {"tls": {"enabled": True, "certManager": {"enabled": True}}}, "tls.certManager.issuer.name: is empty"),
        (
            "8gpu",
            {"tls": {"enabled": True, "secretName": "x", "certManager": {"enabled": True, "issuer": {"name": "ca"}}}},
            "tls.secretName: names a Secret of yours, and tls.certManager.enabled would make one",
        ),
        (
            "8gpu",
            {"clientSecret": "x", "tls": {"enabled": True, "certManager": {"enabled": True, "issuer": {"name": "ca"}}}},
            "clientSecret: names a Secret of yours",
        ),
    ],
)
def test_values_that_contradict_each_other(profile: str, changes: Object, said: str) -> None:
    assert said in refusal(merged(profile_values(profile), changes))


@pytest.mark.parametrize("profile", ["8gpu", "4gpu"])
@pytest.mark.parametrize("phase", PHASES)
def test_a_phase_that_takes_more_gpus_than_there_are(profile: str, phase: str) -> None:
    fits = profile_values(profile)
    gpus = fits["gpus"]
    shares = dict.fromkeys(Shares.model_fields, 0) | {
        "challenger": gpus + 1,
        "solver": 1,
        "coder": 1,
        "encoder": 1,
        "trainer": 1,
    }
    needed = gpus + 4 + fits["trainer"]["gpus"]
    message = refusal(merged(fits, {"plan": {phase: shares}}))
    assert f"plan.{phase}: takes {needed} GPUs of {gpus}" in message


@pytest.mark.parametrize("name", ["Upper", "1st", "a" * 33, "ends-"])
def test_names_of_releases_that_leave_no_room_for_names_of_runs(name: str) -> None:
    assert f"release name {name}" in refusal(profile_values("8gpu"), name)


def test_names_that_kserve_makes_too_long_of_release_and_namespace() -> None:
    with pytest.raises(helm_python.HelmError, match=r"rdiverse-encoder-predictor-team-a.*, 70 characters of 63"):
        render(profile_values("8gpu"), "rdiverse", "team-" + "a" * 38)
    render(profile_values("cpu"), "r", "team-" + "a" * 39)


def test_the_cpu_profile_fits_two_cores_beside_a_clusters_own_pods() -> None:
    objects = render(profile_values("cpu"))
    plan = embedded(objects, "cluster.yaml")["plan"]
    policy = embedded(objects, "policy.yaml")["spec"]["predictor"]
    specs = {name: pod for name, pod in pod_specs(objects) if name.startswith(("StatefulSet", "InferenceService"))}
    each = {"trainer": embedded(objects, "trainer.yaml")["spec"], "challenger": policy, "solver": policy}
    each["coder"] = specs["InferenceService rdiverse-coder"]
    for phase, shares in plan.items():
        asked = milli_cpus(specs["StatefulSet rdiverse-diversity"])
        asked += sum(shares[name] * milli_cpus(pod) for name, pod in each.items())
        assert asked < 1000, phase


def milli_cpus(pod: Object) -> int:
    return sum(int(container["resources"]["requests"]["cpu"].removesuffix("m")) for container in pod["containers"])


def test_every_value_is_in_the_schema_and_every_section_of_it_is_closed() -> None:
    with helm_python.Chart.load(CHART) as chart:
        schema, defaults = chart.schema, chart.values
    assert schema is not None
    jsonschema.Draft202012Validator.check_schema(schema)
    open_sections = [path for path, part in _sections(schema) if part.get("additionalProperties") is None]
    assert {path.rpartition(".")[2] for path in open_sections} == {
        "global", "nodeAffinity", "podAffinity", "podAntiAffinity", "podSelector", "namespaceSelector"
    }, "what Helm and Kubernetes define"  # fmt: skip
    assert set(schema["properties"]) - {"global"} == set(defaults)


def test_every_value_is_commented() -> None:
    found = values()
    told = [value.path for value in found if value.text]
    for value in found:
        assert value.text or any(value.path.startswith(f"{path}.") for path in told), value.path


def test_the_schema_knows_the_configuration_as_the_servers_do() -> None:
    """Bounds and choices that stand in the chart's schema are those of RunConfig."""
    with helm_python.Chart.load(CHART) as chart:
        ours = chart.schema["properties"]["config"]["properties"]  # type: ignore[index]
    theirs = RunConfig.model_json_schema()
    for section, name in (("coder", "CoderConfig"), ("encoder", "EncoderConfig"), ("inference", "EngineConfig")):
        fields = theirs["$defs"][name]["properties"]
        assert set(ours[section]["properties"]) <= set(fields)
        for field, schema in ours[section]["properties"].items():
            for rule in ("minimum", "maximum", "exclusiveMinimum", "enum"):
                if rule in fields[field] or rule in schema:
                    assert sorted_if_list(schema[rule]) == sorted_if_list(fields[field][rule]), f"{section}.{field} {rule}"
    assert set(ours["inference"]["properties"]) == set(theirs["$defs"]["EngineConfig"]["properties"])


def test_phases_are_those_of_the_runs() -> None:
    with helm_python.Chart.load(CHART) as chart:
        schema = chart.schema
    assert schema is not None
    assert set(schema["properties"]["plan"]["required"]) == set(PHASES)
    assert set(schema["$defs"]["shares"]["properties"]) == set(Shares.model_fields)


def test_what_is_not_wrong_is_not_refused() -> None:
    for release in RELEASES.values():
        render(release)


def sorted_if_list(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) else value


def _sections(schema: Object, path: str = "") -> list[tuple[str, Object]]:
    found = [(path, schema)] if schema.get("type") == "object" else []
    for name, child in (schema.get("properties", {}) | schema.get("$defs", {})).items():
        found += _sections(child, f"{path}.{name}") if isinstance(child, dict) else []
    if isinstance(schema.get("items"), dict):
        found += _sections(schema["items"], path)
    return found


def test_the_charts_phases_are_the_pipelines() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())["properties"]["plan"]
    assert list(schema["properties"]) == schema["required"] == list(PHASES)
    checks = (CHART / "templates" / "_checks.tpl").read_text()
    needs = re.search(r"\$needs := dict (.*) -}}", checks)
    assert needs is not None
    assert re.findall(r'"([a-z-]+)" \(?list', needs[1]) == list(PHASES)
