"""Servers of a run on a cluster: weights that change, roll-back, scaling by phase, the end. Against an API server in small."""

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from tests.support.cluster_api import (
    CONFIG_MAPS,
    INFERENCE,
    SERVICES,
    STOP,
    Kubelet,
    Pod,
    Release,
    says_its_weights,
    serving_release,
)
from tests.support.cluster_target import coder, free_port, target, with_coder, write_settings
from tests.support.testdata import crds
from tests.support.training_cluster import faults

from rdiverse.config.load import ConfigError
from rdiverse.runs.manifest import StepError
from rdiverse.selfplay.steps import PHASES
from rdiverse_pipelines.cluster import replicas as waiting
from rdiverse_pipelines.cluster.settings import ReleaseSettings
from rdiverse_pipelines.cluster.target import ClusterTarget
from rdiverse_pipelines.policy import Policy
from rdiverse_pipelines.usage import gpu_hours, gpu_ledger

FIRST = Policy(Path("/weights/v1"), "v1")
SECOND = Policy(Path("/weights/v2"), "v2")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PAUSE_SECONDS", 0.05)


@contextmanager
def cluster(tmp_path: Path, release: Release | None = None, **changes: Any) -> Iterator[tuple[Release, Kubelet, ClusterTarget]]:
    """A namespace with pods that say their weights, and a run in it."""
    release, port = release or with_coder(), free_port()
    kubelet = Kubelet(release, says_its_weights(port))
    with serving_release(release) as url, kubelet.running():
        yield release, kubelet, target(url, tmp_path, server_port=port, **changes)


def weights_served(kubelet: Kubelet, name: str) -> list[str]:
    return [pod.arguments[-1] for pod in kubelet.pods.get(name, []) if pod.ended is None]


# The objects


def test_the_inference_service_is_valid(tmp_path: Path) -> None:
    objects = target("http://127.0.0.1:1", tmp_path)._objects
    for release, schema in crds("kserve-*-inferenceservices.yaml").items():
        service = objects.inference_service("solver", FIRST, 2)
        assert faults(service, schema) == [], release
        service["spec"]["predictor"]["minReplica"] = 1
        assert len(faults(service, schema)) == 1, f"{release}: the check sees mistakes"


def test_the_headless_service_is_valid_and_selects_only_the_role_of_the_run(tmp_path: Path) -> None:
    objects = target("http://127.0.0.1:1", tmp_path)._objects
    service = objects.service("solver")
    kubernetes_validate.validate(service, "1.33", strict=True)
    labels = objects.inference_service("solver", FIRST, 1)["spec"]["predictor"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert service["spec"]["selector"]["rdiverse.dev/role"] == "solver"
    assert service["spec"]["selector"]["rdiverse.dev/run"] == "one"


def test_only_what_is_the_runs_own_is_set_in_the_template(tmp_path: Path) -> None:
    objects = target("http://127.0.0.1:1", tmp_path)._objects
    service = objects.inference_service("solver", FIRST, 2)
    container = service["spec"]["predictor"]["containers"][0]
    config = str(objects.folder.config)
    assert container["args"] == [
        "serve", "solver", "--config", config, "--listen", "0.0.0.0:9000", "--metrics-port", "9100", "--weights", "/weights/v1"
    ]  # fmt: skip
    assert service["metadata"]["labels"]["helm.sh/chart"] == "rdiverse-0.1.0"
    assert container["resources"] == {"limits": {"nvidia.com/gpu": "1"}}
    assert service["spec"]["predictor"]["annotations"] == {"rdiverse.dev/weights": "v1"}
    assert objects.settings.policy["metadata"]["name"] == "NAME", "the template itself is not changed"


def test_a_template_without_the_words_is_refused(tmp_path: Path) -> None:
    objects = target("http://127.0.0.1:1", tmp_path)._objects
    objects.settings.policy["spec"]["predictor"]["containers"][0]["args"] = ["serve", "ROLE"]
    with pytest.raises(ConfigError, match="args lack CONFIG, WEIGHTS"):
        objects.inference_service("solver", FIRST, 1)


def test_a_template_whose_replicas_kserve_would_not_set_is_refused(tmp_path: Path) -> None:
    cluster = write_settings(tmp_path / "settings", tmp_path)
    policy = cluster.with_name("policy.yaml")
    policy.write_text(policy.read_text().replace("autoscalerClass: none", "autoscalerClass: external"))
    with pytest.raises(ConfigError, match="autoscalerClass = 'external': must be none"):
        ReleaseSettings.read(cluster)


def test_names_are_dns_1035_short_and_tell_runs_apart(tmp_path: Path) -> None:
    runs = ["a", "r-diverse-seed0", "a.b", "a-b", "1st", "x" * 50, "x" * 49 + "y", "ends."]
    names = {
        (run, role): target("http://127.0.0.1:1", tmp_path, run)._objects.name(role)
        for run in runs
        for role in ("solver", "challenger")
    }
    assert len(set(names.values())) == len(names)
    for name in names.values():
        assert len(name) <= 45
        assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name)
    assert names["r-diverse-seed0", "solver"] == "r-r-diverse-seed0-solver"


@pytest.mark.parametrize("namespace", ["kubeflow-user-example-com", "n" * 31, "n" * 42])
def test_names_leave_room_for_the_namespace_in_kserves_host_name(namespace: str, tmp_path: Path) -> None:
    names = {
        target("http://127.0.0.1:1", tmp_path, run, namespace=namespace)._objects.name(role)
        for run in ("r-diverse-seed0", "r-diverse-seed1", "x" * 100)
        for role in ("solver", "challenger")
    }
    assert len(names) == 6
    for name in names:
        assert len(f"{name}-predictor-{namespace}") <= 63
        assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name)


def test_a_namespace_that_leaves_no_room_is_refused(tmp_path: Path) -> None:
    objects = target("http://127.0.0.1:1", tmp_path, namespace="n" * 43)._objects
    with pytest.raises(ConfigError, match="has 43 characters, and KServe's names leave room for 42"):
        objects.name("solver")


def test_the_address_is_the_headless_service(tmp_path: Path) -> None:
    here = target("http://127.0.0.1:1", tmp_path)
    assert here.address("solver") == "dns:///r-one-solver-headless.ns.svc:9000"
    assert here.address("diversity") == "dns:///r-diversity.ns.svc:9000"


# Weights


def test_serving_returns_when_every_replica_reports_the_version(tmp_path: Path) -> None:
    with cluster(tmp_path) as (release, kubelet, here):
        here.ensure_serving("evaluate", 0, {"solver": FIRST})
        assert weights_served(kubelet, "r-one-solver") == ["/weights/v1"] * 2
        here.ensure_serving("evaluate", 1, {"solver": SECOND})
        assert weights_served(kubelet, "r-one-solver") == ["/weights/v2"] * 2
        assert kubelet.most["r-one-solver"] == 2, "no surge: there is no third GPU"
        assert release.inference("r-one-solver")["spec"]["predictor"]["annotations"]["rdiverse.dev/weights"] == "v2"


def test_what_is_served_already_is_left_alone(tmp_path: Path) -> None:
    with cluster(tmp_path) as (release, _, here):
        here.ensure_serving("evaluate", 0, {"solver": FIRST})
        before = len(release.writes)
        here.ensure_serving("evaluate", 0, {"solver": FIRST})
        assert release.writes[before:] == []


def test_a_replica_stuck_on_the_old_version_brings_the_old_version_back_everywhere(tmp_path: Path) -> None:
    with cluster(tmp_path, weights_seconds=8) as (_release, kubelet, here):
        here.ensure_serving("evaluate", 0, {"solver": FIRST})
        deaf = kubelet.pods["r-one-solver"][0].name
        kubelet.deaf = lambda pod: pod.name == deaf
        with pytest.raises(StepError) as failure:
            here.ensure_serving("evaluate", 1, {"solver": SECOND})
        told = str(failure.value)
        assert "serving solver weights v2 from /weights/v2: 1 of 2 replicas after 8 s" in told
        assert f"pod {deaf} serves v1" in told
        assert "Rolled back to v1, which every replica serves" in told
        assert weights_served(kubelet, "r-one-solver") == ["/weights/v1"] * 2
        kubelet.deaf = lambda _pod: False
        here.ensure_serving("evaluate", 1, {"solver": SECOND})
        assert weights_served(kubelet, "r-one-solver") == ["/weights/v2"] * 2, "the retry succeeds"


def test_a_roll_back_after_a_crash_knows_what_was_served(tmp_path: Path) -> None:
    with cluster(tmp_path, weights_seconds=8) as (_release, kubelet, here):
        here.ensure_serving("evaluate", 0, {"solver": FIRST})
        kubelet.deaf = lambda pod: pod.arguments[-1] == "/weights/v1"
        wanted = here._objects.inference_service("solver", SECOND, 2)
        here._api.patch("r-one-solver", wanted)  # as far as a step came that was killed
        with pytest.raises(StepError, match="Rolled back to v1"):
            here.ensure_serving("evaluate", 1, {"solver": SECOND})
        assert weights_served(kubelet, "r-one-solver") == ["/weights/v1"] * 2


def test_first_weights_that_never_come_up_are_stopped(tmp_path: Path) -> None:
    with cluster(tmp_path, weights_seconds=1) as (release, kubelet, here):
        kubelet.start = lambda _pod: lambda: None
        with pytest.raises(StepError, match=r"0 of 2 replicas after 1 s: pod .* does not answer.*r-one-solver is stopped"):
            here.ensure_serving("evaluate", 0, {"solver": FIRST})
        assert release.inference("r-one-solver")["metadata"]["annotations"][STOP] == "true"


def test_an_object_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    release = with_coder()
    theirs = coder() | {"metadata": {"name": "r-one-solver", "labels": {"app": "theirs"}}}
    theirs["spec"]["predictor"]["labels"] = {"app": "theirs"}  # its pods are not the coder's
    release.put(theirs)
    with cluster(tmp_path, release) as (_, _, here), pytest.raises(StepError, match="exists that is not this run's"):
        here.ensure_serving("train-challenger", 1, {"solver": FIRST})


# Phases


def test_servers_go_to_zero_and_come_back_with_the_weights_they_had(tmp_path: Path) -> None:
    with cluster(tmp_path) as (_release, kubelet, here):
        here.ensure_serving("evaluate", 0, {"solver": FIRST})
        assert weights_served(kubelet, "r-coder") == [], "evaluation needs no coder"
        here.ensure_serving("train-solver", 1, {})
        assert [kubelet.pods.get(name, []) for name in ("r-one-solver", "r-coder")] == [[], []], "gone, not only going"
        here.ensure_serving("train-challenger", 2, {"solver": FIRST})
        assert weights_served(kubelet, "r-one-solver") == ["/weights/v1"] * 2
        assert len(weights_served(kubelet, "r-coder")) == 1


def test_nothing_grows_before_its_gpus_are_free(tmp_path: Path) -> None:
    held = []
    with cluster(tmp_path) as (_, kubelet, here):
        start = kubelet.start

        def counted(pod: Pod) -> Any:
            held.append(sum(len(pods) for pods in kubelet.pods.values()) + 1)
            return start(pod)

        kubelet.start = counted
        here.ensure_serving("evaluate", 0, {"solver": FIRST})
        here.ensure_serving("propose", 1, {"challenger": FIRST})
        here.ensure_serving("label", 1, {"solver": FIRST})
    assert max(held) <= 3, "two replicas, and the coder at the beginning"


def test_a_phase_that_asks_a_server_without_a_replica_is_refused(tmp_path: Path) -> None:
    plan: dict[str, dict[str, int]] = {str(phase): {} for phase in PHASES} | {"train-challenger": {"solver": 1}}
    with cluster(tmp_path, plan=plan) as (_, _, here), pytest.raises(StepError, match=r"plan.propose.challenger is 0"):
        here.ensure_serving("propose", 1, {"challenger": FIRST})


def test_pods_that_do_not_go_stop_the_phase_with_their_names(tmp_path: Path) -> None:
    with cluster(tmp_path, scale_seconds=1) as (_release, kubelet, here):
        here.ensure_serving("evaluate", 0, {"solver": FIRST})
        kubelet._end = lambda _pod: None  # type: ignore[method-assign]
        with pytest.raises(StepError, match=r"before phase train-solver: InferenceService r-one-solver: 2 pods instead of 0"):
            here.ensure_serving("train-solver", 1, {})


def test_two_runs_share_the_coder_and_neither_takes_it_from_the_other(tmp_path: Path) -> None:
    with cluster(tmp_path) as (release, kubelet, here):
        there = target(here._api.core_api.api_client.configuration.host, tmp_path, "two", server_port=here._cluster.server_port)
        there.ensure_serving("curate", 1, {})
        here.ensure_serving("train-solver", 1, {})
        assert len(weights_served(kubelet, "r-coder")) == 1, "the other run needs it"
        assert release.kept[CONFIG_MAPS]["r-claims"]["data"] == {"coder": '{"one": 0, "two": 1}'}
        there.ensure_serving("train-solver", 1, {})
        assert release.inference("r-coder")["metadata"]["annotations"][STOP] == "true"
        there.finish()
        assert release.inference("r-coder")["metadata"]["annotations"][STOP] == "true", "one run is left, which needs none"
        here.finish()
        assert (
            "annotations" not in release.inference("r-coder")["metadata"]
            or not release.inference("r-coder")["metadata"]["annotations"]
        )
        assert release.kept[CONFIG_MAPS]["r-claims"]["data"] == {}


def test_without_a_place_for_claims_nothing_is_scaled(tmp_path: Path) -> None:
    with cluster(tmp_path) as (release, _, here):
        release.kept[CONFIG_MAPS].clear()
        with pytest.raises(StepError, match=r"ConfigMap r-claims does not exist.*run `helm upgrade`"):
            here.ensure_serving("train-solver", 1, {})


def test_nothing_is_noted_on_an_inference_service(tmp_path: Path) -> None:
    """KServe copies annotations into the pods: a note there restarts every replica."""
    with cluster(tmp_path) as (release, _, here):
        here.ensure_serving("train-challenger", 1, {"solver": FIRST})
        here.ensure_serving("evaluate", 1, {"solver": SECOND})
        for name in ("r-one-solver", "r-coder"):
            annotations = release.inference(name)["metadata"].get("annotations") or {}
            assert not [key for key in annotations if key.startswith("rdiverse.dev/")]


def test_the_api_server_may_be_away_for_moments(tmp_path: Path) -> None:
    with cluster(tmp_path) as (release, kubelet, here):
        release.down.set()
        threading.Timer(1, release.down.clear).start()
        here.ensure_serving("evaluate", 0, {"solver": FIRST})
        assert weights_served(kubelet, "r-one-solver") == ["/weights/v1"] * 2


# The end


def test_the_end_stops_what_runs_and_gives_the_coder_back(tmp_path: Path) -> None:
    with cluster(tmp_path) as (release, kubelet, here):
        labels = here._objects.labels()
        for name, kind in (("running", "Running"), ("done", "Succeeded")):
            job = {
                "metadata": {"name": name, "labels": labels, "resourceVersion": "1"},
                "status": {"conditions": [{"type": kind, "status": "True"}]},
            }
            release.jobs[name] = job
        release.jobs["other"] = {
            "metadata": {"name": "other", "labels": labels | {"rdiverse.dev/run": "two"}, "resourceVersion": "1"}
        }
        here.ensure_serving("evaluate", 0, {"solver": FIRST})
        assert here.finish() == ["PyTorchJob running", "InferenceService r-one-solver"]
        assert sorted(release.jobs) == ["done", "other"], "what has ended is kept for whoever looks, what is another's too"
        assert release.kept[SERVICES] == {}
        assert list(release.kept[INFERENCE]) == ["r-coder"]
        deadline = time.monotonic() + 5
        while not weights_served(kubelet, "r-coder") and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(weights_served(kubelet, "r-coder")) == 1, "the plan for the time between runs"
        assert here.finish() == [], "again is nothing"


def test_no_verb_is_needed_but_those_of_the_role(tmp_path: Path) -> None:
    with cluster(tmp_path) as (release, _, here):
        here.ensure_serving("evaluate", 0, {"solver": FIRST})
        here.ensure_serving("evaluate", 1, {"solver": SECOND})
        here.finish()
    assert release.verbs <= {
        *(("inferenceservices", verb) for verb in ("get", "list", "create", "patch", "delete")),
        *(("services", verb) for verb in ("create", "delete")),
        *(("configmaps", verb) for verb in ("get", "patch")),
        *(("pytorchjobs", verb) for verb in ("get", "list", "watch", "create", "delete")),
        ("pods", "list"),
        ("pods/log", "get"),
    }


# GPU-hours


def test_gpu_hours_are_what_was_held(tmp_path: Path) -> None:
    with cluster(tmp_path) as (_, _, here):
        folder = here._objects.folder
        here.ensure_serving("train-challenger", 1, {"solver": FIRST})
        here.ensure_serving("propose", 1, {"challenger": FIRST})
        here.ensure_serving("propose", 1, {"challenger": FIRST})
        here.finish()
        lines = [json.loads(line) for line in gpu_ledger(folder).read_text().splitlines()]
    assert [(line["phase"], line["gpus"]) for line in lines] == [("train-challenger", 4), ("propose", 2), ("rest", 0)]
    times = [0.0, 3600.0, 5400.0]
    gpu_ledger(folder).write_text(
        "".join(json.dumps(line | {"time": at}) + "\n" for line, at in zip(lines, times, strict=True))
    )
    assert gpu_hours(folder, until=1e6) == [
        {"iteration": 1, "phase": "train-challenger", "gpu_hours": 4.0},
        {"iteration": 1, "phase": "propose", "gpu_hours": 1.0},
    ]


def test_a_run_without_gpus_has_no_gpu_hours(tmp_path: Path) -> None:
    with cluster(tmp_path, gpus=0, gpus_each={}) as (_, _, here):
        here.ensure_serving("train-challenger", 1, {"solver": FIRST})
        assert gpu_hours(here._objects.folder, until=time.time()) is None
