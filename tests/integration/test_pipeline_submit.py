"""`rdiverse pipeline`: what is sent, what is refused before anything is sent, and in which words."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.support.cluster_api import write_kubeconfig
from tests.support.kubeflow_api import World, serving
from tests.support.local_run import LOCAL
from typer.testing import CliRunner, Result

from rdiverse.cli import app
from rdiverse.config import RunConfig

COMPILED = Path(__file__).parents[2] / "pipelines" / "compiled"


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def url(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with serving(world) as url:
        monkeypatch.setenv("KUBECONFIG", str(write_kubeconfig(tmp_path / "kubeconfig", url)))
        monkeypatch.setenv("HOME", str(tmp_path))
        yield url


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["pipeline", *map(str, arguments)])


def submit(url: str, *arguments: object) -> Result:
    package = ("--package", COMPILED / "iterations-3.yaml")
    return run("submit", "-c", LOCAL, "--endpoint", url, "--namespace", "team", *package, *arguments)


# What is sent


def test_a_run_is_sent_with_its_whole_configuration(world: World, url: str) -> None:
    done = submit(url, "run_id=first", "solver.samples=9", "--node-selector", "{pool: cpu}")
    assert done.exit_code == 0, done.output
    assert "run first: run-0001" in done.output
    [sent] = world.runs
    parameters = sent["runtime_config"]["parameters"]
    config = RunConfig.model_validate(yaml.safe_load(parameters["config"]))
    assert (config.solver.samples, config.iterations) == (9, 3)
    assert parameters["settings"] == "rdiverse-run"
    assert parameters["workspace"] == "rdiverse-workspace"
    assert parameters["client_secret"] == "rdiverse-client"
    assert parameters["node_selector"] == {"pool": "cpu"}
    assert set(parameters) == set(sent["pipeline_spec"]["pipeline_spec"]["root"]["inputDefinitions"]["parameters"])
    assert sent["display_name"] == "first"
    assert "platforms" in sent["pipeline_spec"]["platform_spec"], "volumes and labels travel along"


def test_a_package_is_compiled_when_none_is_given(world: World, url: str) -> None:
    done = run(
        "submit",
        "-c",
        LOCAL,
        "iterations=2",
        "--endpoint",
        url,
        "--namespace",
        "team",
        "--image-prefix",
        "registry.example/team",
    )
    assert done.exit_code == 0, done.output
    spec = world.runs[0]["pipeline_spec"]["pipeline_spec"]
    assert spec["pipelineInfo"]["name"] == "rdiverse-2"
    images = {each["container"]["image"] for each in spec["deploymentSpec"]["executors"].values()}
    assert images == {"registry.example/team/rdiverse-pipelines:0.1.0"}


def test_a_volume_that_was_there_before_the_release(world: World, url: str) -> None:
    world.objects = {"configmaps/rdiverse-run", "persistentvolumeclaims/theirs"}
    done = submit(url, "--workspace-claim", "theirs", "--client-secret", "ours")
    assert done.exit_code == 0, done.output
    parameters = world.runs[0]["runtime_config"]["parameters"]
    assert (parameters["workspace"], parameters["client_secret"]) == ("theirs", "ours")


def test_uploading_again_makes_a_version(world: World, url: str) -> None:
    for _ in range(2):
        done = run("upload", COMPILED / "iterations-5.yaml", "--endpoint", url)
        assert done.exit_code == 0, done.output
        assert done.output.splitlines()[-1] == "pipeline rdiverse-5: pipeline-1"
    assert ["upload_version" in path for path in world.uploads] == [False, True]


def test_the_status_names_steps_and_fails_for_a_failed_run(world: World, url: str) -> None:
    tasks = [{"display_name": "propose", "state": "SUCCEEDED"}, {"display_name": "label", "state": "FAILED"}]
    world.state = {"state": "FAILED", "error": {"message": "a step failed"}, "run_details": {"task_details": tasks}}
    done = run("status", "run-0001", "--endpoint", url)
    assert done.exit_code == 1
    assert done.output.splitlines() == ["SUCCEEDED  propose", "FAILED     label", "FAILED: a step failed"]


# What is refused before anything is sent


def refused(done: Result, world: World, code: int, *words: str) -> None:
    assert done.exit_code == code, done.output
    for word in words:
        assert word in done.output
    assert "Traceback" not in done.output
    assert world.runs == []


def test_another_number_of_iterations_than_the_packages(world: World, url: str) -> None:
    refused(
        submit(url, "iterations=5"),
        world,
        2,
        "asks for 5 iterations",
        "compiled for 3",
        "rdiverse pipeline compile --iterations 5",
    )


def test_a_wrong_configuration(world: World, url: str) -> None:
    refused(submit(url, "solver.sample=9"), world, 2, "solver.sample")


@pytest.mark.parametrize("text", ["", "a: 1", "pipelineInfo: {name: other}", "- 1"])
def test_a_package_that_is_none(world: World, url: str, tmp_path: Path, text: str) -> None:
    package = tmp_path / "package.yaml"
    package.write_text(text)
    refused(run("submit", "-c", LOCAL, "--endpoint", url, "--package", package), world, 2, str(package))


def test_no_images(world: World, url: str) -> None:
    refused(run("submit", "-c", LOCAL, "--endpoint", url), world, 2, "--image-prefix")


def test_wrong_tolerations(world: World, url: str) -> None:
    refused(submit(url, "--tolerations", "{a: b}"), world, 2, "--tolerations", "YAML list")


def test_an_endpoint_that_nobody_serves(world: World, url: str) -> None:
    done = submit("http://127.0.0.1:9")
    refused(
        done,
        world,
        1,
        "http://127.0.0.1:9: Kubeflow Pipelines cannot be reached",
        "kubectl port-forward -n kubeflow svc/ml-pipeline",
    )


@pytest.mark.parametrize("endpoint", ["http://no-such-host.invalid", "nonsense", "http://"])
def test_an_endpoint_that_is_none(world: World, url: str, endpoint: str) -> None:
    refused(submit(endpoint), world, 1, endpoint)


def test_something_else_answers_there(world: World, url: str) -> None:
    done = submit(url + "/elsewhere")
    refused(done, world, 1, "not Kubeflow Pipelines' API", "Install Kubeflow Pipelines")


def test_no_token_and_an_expired_one(world: World, url: str, tmp_path: Path) -> None:
    world.token = "good"
    refused(submit(url), world, 1, "it asks for a token", "kubectl create token pipeline-runner")
    token = tmp_path / "token"
    token.write_text("old\n")
    refused(submit(url, "--token-file", token), world, 1, "the token was refused: it has expired", "kubectl create token")
    token.write_text("good\n")
    assert submit(url, "--token-file", token).exit_code == 0


@pytest.mark.parametrize(
    ("group", "words"),
    [
        (
            "serving.kserve.io",
            ["CustomResourceDefinition inferenceservices.serving.kserve.io (v1beta1) is missing", "Install KServe"],
        ),
        (
            "kubeflow.org",
            ["CustomResourceDefinition pytorchjobs.kubeflow.org (v1) is missing", "Install the training operator 1.9"],
        ),
    ],
)
def test_a_missing_custom_resource_definition(world: World, url: str, group: str, words: list[str]) -> None:
    del world.groups[group]
    refused(submit(url), world, 1, *words)


@pytest.mark.parametrize(
    ("controller", "words"),
    [
        ("kserve-controller-manager", ["KServe has no controller, although its CustomResourceDefinition is there"]),
        ("kubeflow-training-operator", ["the Kubeflow training operator has no controller"]),
    ],
)
def test_a_missing_operator(world: World, url: str, controller: str, words: list[str]) -> None:
    world.controllers.remove(controller)
    refused(submit(url), world, 1, *words)


def test_a_release_that_is_not_installed(world: World, url: str) -> None:
    done = submit(url, "--release", "mine")
    refused(done, world, 1, "ConfigMap mine-run is missing in namespace team", "helm install mine helm/rdiverse -n team")


def test_everything_that_is_missing_is_named_at_once(world: World, url: str) -> None:
    world.groups.clear()
    world.objects.clear()
    refused(submit(url), world, 1, "inferenceservices", "pytorchjobs", "ConfigMap", "PersistentVolumeClaim")


def test_what_kubeflow_says_when_it_refuses(world: World, url: str) -> None:
    world.refusal = (400, "unknown parameter")
    refused(submit(url), world, 1, "Kubeflow Pipelines does not start the run: unknown parameter")


# What cannot be looked at is said, and is no refusal


def test_without_a_kubeconfig_nothing_is_looked_at(
    world: World, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    done = submit(url)
    assert done.exit_code == 0, done.output
    assert "not checked: no kubeconfig" in done.output


def test_what_may_not_be_looked_at(world: World, url: str) -> None:
    world.forbidden = {"/deployments", "/configmaps"}
    done = submit(url)
    assert done.exit_code == 0, done.output
    assert "not checked: whether KServe is running" in done.output
    assert "not checked: ConfigMap rdiverse-run" in done.output


def test_a_kubeconfig_with_old_credentials(world: World, url: str) -> None:
    world.credentials_refused = True
    done = submit(url)
    assert "refuses the kubeconfig's credentials" in done.output


def test_asking_for_help_loads_no_kubeflow() -> None:
    import subprocess
    import sys

    code = "import json, sys; import rdiverse.cli; print(json.dumps([m for m in ('kfp', 'kubernetes') if m in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
