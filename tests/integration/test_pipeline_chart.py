"""What the chart tells a run is what a run can use: templates, names, labels, certificates, rights."""

from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from tests.support.cluster_objects import RELEASES, crd_fault, rendered

from rdiverse.runs.folder import RunFolder
from rdiverse.selfplay.roles import POLICY_ROLES, Role
from rdiverse.training.launch import Phase
from rdiverse.training.launch.pytorchjob import pytorch_job
from rdiverse_pipelines.cluster.objects import RunObjects
from rdiverse_pipelines.cluster.settings import ReleaseSettings
from rdiverse_pipelines.cluster.shared import managed, shared_server
from rdiverse_pipelines.policy import Policy

every_release = pytest.mark.parametrize("release", RELEASES)

VERBS = {
    "inferenceservices": {"get", "list", "create", "patch", "delete"},
    "services": {"create", "delete"},
    "configmaps": {"get", "patch"},
    "pytorchjobs": {"get", "list", "watch", "create", "delete"},
    "pods": {"list"},
    "pods/log": {"get"},
}
"""What a run asks of the API, as `test_pipeline_cluster` sees it."""


def one(release: str, kind: str, ending: str = "") -> dict[str, Any]:
    [found] = [each for each in rendered(release) if each["kind"] == kind and each["metadata"].get("name", "").endswith(ending)]
    return found


def objects(release: str, tmp_path: Path) -> RunObjects:
    """A run in a release, its settings read as its steps read them."""
    for name, text in one(release, "ConfigMap", "-run")["data"].items():
        (tmp_path / name).write_text(text)
    return RunObjects(ReleaseSettings.read(tmp_path / "cluster.yaml"), RunFolder.of(Path("/workspace"), "r-diverse-seed0"))


@every_release
def test_what_a_run_creates_is_valid(release: str, tmp_path: Path) -> None:
    run = objects(release, tmp_path)
    for role in POLICY_ROLES:
        service = run.inference_service(role, Policy(Path("/workspace/models/v"), "v"), 2)
        assert crd_fault(service) == ""
        kubernetes_validate.validate(run.service(role), "1.33", strict=True)
        assert run.service(role)["spec"]["selector"].items() <= service["spec"]["predictor"]["labels"].items()
    paths = dict.fromkeys(
        ("config_path", "model", "output", "resume_dir", "log_path", "metrics_path", "events_path"), Path("/x")
    )
    phase = Phase(role=Role.SOLVER, iteration=1, seed=0, run="r-diverse-seed0", metrics_address="0.0.0.0:9100", **paths)
    assert crd_fault(pytorch_job(phase, 1, "rdiverse", run.settings.trainer, {}, "rdiverse")) == ""


@every_release
def test_the_releases_own_servers_are_found(release: str, tmp_path: Path) -> None:
    run = objects(release, tmp_path)
    assert "coder" in managed(run)
    for name in managed(run):
        server = shared_server(run, name)
        labels = one(release, "InferenceService", server.name)["spec"]["predictor"]["labels"]
        assert dict(part.split("=") for part in server.selector.split(",")).items() <= labels.items()
        assert one(release, "Service", f"{server.name}-headless")["spec"]["clusterIP"] == "None"


def test_a_replicas_certificate_bears_the_name_by_which_it_is_asked(tmp_path: Path) -> None:
    run = objects("8gpu, secured", tmp_path)
    certificates = [each["spec"]["dnsNames"] for each in rendered("8gpu, secured") if each["kind"] == "Certificate"]
    for name in (*(run.server_name(role) for role in POLICY_ROLES), shared_server(run, "coder").server_name):
        assert any(fnmatch(name, pattern) for names in certificates for pattern in names), name


def test_the_role_allows_what_a_run_asks() -> None:
    allowed = {name: set(rule["verbs"]) for rule in one("8gpu", "Role", "-run")["rules"] for name in rule["resources"]}
    assert {name: verbs for name, verbs in VERBS.items() if not verbs <= allowed.get(name, set())} == {}
