"""The compiled pipelines: the same each time, committed as they are, and sound where Kubeflow's compiler does not look."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rdiverse.selfplay.steps import Step
from rdiverse_pipelines.pods import TIMEOUTS
from rdiverse_pipelines.remote.package import compile_package

COMPILED = Path(__file__).parents[2] / "pipelines" / "compiled"
ITERATIONS = (1, 3, 5)
PARAMETERS = {"config", "settings", "workspace", "client_secret", "node_selector", "tolerations"}


def load(iterations: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """A committed pipeline: executors and components, and what Kubernetes is told of each executor."""
    pipeline, platform = yaml.safe_load_all((COMPILED / f"iterations-{iterations}.yaml").read_text())
    return pipeline, platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]


def tasks(pipeline: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, dict[str, Any]]]:
    """Every task with the component whose graph it stands in, and the executor that it runs."""
    components = pipeline["components"]
    for parent in [pipeline["root"], *(each for each in components.values() if "dag" in each)]:
        for task in parent["dag"]["tasks"].values():
            component = components[task["componentRef"]["name"]]
            if "executorLabel" in component:
                yield parent, component["executorLabel"], task


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "componentInputParameter" in value:
            yield value["componentInputParameter"]
        for child in value.values():
            yield from references(child)
    elif isinstance(value, list):
        for child in value:
            yield from references(child)


@pytest.mark.parametrize("iterations", ITERATIONS)
def test_the_committed_pipeline_is_what_the_code_gives(iterations: int, tmp_path: Path) -> None:
    compile_package(iterations, tmp_path / "p.yaml")
    assert (tmp_path / "p.yaml").read_bytes() == (COMPILED / f"iterations-{iterations}.yaml").read_bytes(), "make pipelines"


def test_steps_have_one_name_everywhere() -> None:
    pipeline, _ = load(1)
    executors = {executor.removeprefix("exec-"): task["taskInfo"]["name"] for _, executor, task in tasks(pipeline)}
    assert executors == {step: step for step in Step}, "component, executor and displayed name"
    assert TIMEOUTS.keys() == set(Step)


def test_compiling_does_not_depend_on_the_order_of_hashes(tmp_path: Path) -> None:
    code = "import sys; from rdiverse_pipelines.remote.package import Path, compile_package as c; c(3, Path(sys.argv[1]))"
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", code, str(tmp_path / f"{seed}.yaml")], check=True, env=environment)
    assert (tmp_path / "1.yaml").read_bytes() == (tmp_path / "2.yaml").read_bytes()


@pytest.mark.parametrize("iterations", ITERATIONS)
def test_every_pod_gets_what_it_needs_from_parameters_that_it_can_see(iterations: int) -> None:
    pipeline, pods = load(iterations)
    assert set(pipeline["root"]["inputDefinitions"]["parameters"]) == PARAMETERS
    seen = set()
    for parent, executor, _ in tasks(pipeline):
        seen.add(executor)
        pod = pods[executor]
        assert {mount["mountPath"] for mount in pod["pvcMount"]} == {"/workspace"}
        assert {mount["mountPath"] for mount in pod["configMapAsVolume"]} == {"/etc/rdiverse/run"}
        assert [(mount["mountPath"], mount["optional"]) for mount in pod["secretAsVolume"]] == [("/etc/rdiverse/client", True)]
        assert pod["podMetadata"]["labels"] == {"app.kubernetes.io/name": "rdiverse", "app.kubernetes.io/component": "step"}
        assert int(pod["activeDeadlineSeconds"]) in TIMEOUTS.values()
        found = set(references(pod))
        assert {name.removeprefix("pipelinechannel--") for name in found} == PARAMETERS - {"config"}
        assert found <= set(parent["inputDefinitions"]["parameters"]), "what a pod refers to is an input of its graph"
    assert seen == set(pods) == set(pipeline["deploymentSpec"]["executors"])
    assert len(seen) == 5 + 8 * iterations


def test_nothing_is_cached_and_everything_is_tried_again_later_and_later() -> None:
    pipeline, _ = load(5)
    for _, executor, task in tasks(pipeline):
        assert not task["cachingOptions"].get("enableCache"), executor
        policy = task["retryPolicy"]
        assert (policy["maxRetryCount"], policy["backoffFactor"]) == (3, 2.0)
        environment = pipeline["deploymentSpec"]["executors"][executor]["container"]["env"]
        assert environment == [{"name": "RDIVERSE_CLUSTER", "value": "/etc/rdiverse/run/cluster.yaml"}]


def test_the_end_comes_whatever_happened_before() -> None:
    pipeline, _ = load(3)
    root = pipeline["root"]["dag"]["tasks"]
    assert set(root) == {"exit-handler-1", "finish"}
    assert root["finish"]["triggerPolicy"]["strategy"] == "ALL_UPSTREAM_TASKS_COMPLETED"


def test_iterations_come_one_after_the_other() -> None:
    pipeline, _ = load(3)
    graph = pipeline["components"]["comp-exit-handler-1"]["dag"]["tasks"]
    assert "iteration-2" in graph["iteration-3"]["dependentTasks"]
    assert "iteration" in graph["iteration-2"]["dependentTasks"]
    assert "evaluate-base" in graph["iteration"]["dependentTasks"]
    assert "iteration-3" in graph["report"]["dependentTasks"]


def test_the_ui_sees_typed_artifacts() -> None:
    pipeline, _ = load(1)
    kinds = {
        name.removeprefix("comp-"): {
            each["artifactType"]["schemaTitle"] for each in component["outputDefinitions"]["artifacts"].values()
        }
        for name, component in pipeline["components"].items()
        if "artifacts" in component.get("outputDefinitions", {})
    }
    assert kinds["report"] == {"system.HTML"}
    assert kinds["evaluate"] == kinds["evaluate-base"] == {"system.Metrics"}
    assert kinds["propose"] == kinds["label"] == {"system.Dataset"}
    assert kinds["curate"] == {"system.Dataset", "system.Metrics"}
    assert kinds["train-challenger"] == kinds["train-solver"] == {"system.Model"}
