"""The deployment target of a run: decided in one function, by the environment."""

from pathlib import Path

import pytest
import yaml
from tests.support.cluster_target import write_settings
from tests.support.local_run import LOCAL

from rdiverse.config import ConfigError, dump_config, load_config
from rdiverse.runs.folder import RunFolder
from rdiverse.runs.manifest import StepError
from rdiverse_pipelines.context import RunContext
from rdiverse_pipelines.local.target import LocalTarget
from rdiverse_pipelines.steps.finish import finish
from rdiverse_pipelines.steps.prepare import prepare_from_text
from rdiverse_pipelines.target import CLUSTER_VARIABLE, LOCAL_SIGN, cluster_file, deployment_target


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (CLUSTER_VARIABLE, LOCAL_SIGN, "RDIVERSE_PIPELINE_RUN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = write_settings(tmp_path / "settings", tmp_path / "workspace")
    monkeypatch.setenv(CLUSTER_VARIABLE, str(path))
    return path


def config(tmp_path: Path, **values: object) -> str:
    return dump_config(load_config(LOCAL, workspace=tmp_path / "elsewhere", run_id="one", **values))


def test_without_a_cluster_a_step_is_on_this_machine(tmp_path: Path) -> None:
    assert cluster_file() is None
    assert isinstance(deployment_target(RunFolder(tmp_path)), LocalTarget)


def test_a_compiled_pipeline_says_that_it_is_on_a_cluster(cluster: Path) -> None:
    assert cluster_file() == cluster


def test_whoever_has_started_the_servers_runs_the_same_pipeline_on_this_machine(
    cluster: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LOCAL_SIGN, "127.0.0.1:9000")
    assert cluster_file() is None


def test_a_release_whose_settings_are_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CLUSTER_VARIABLE, str(tmp_path / "cluster.yaml"))
    with pytest.raises(ConfigError, match=r"cluster.yaml: cannot be read"):
        deployment_target(RunFolder(tmp_path))


def test_a_server_that_nobody_named_is_named(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="RDIVERSE_SOLVER_ADDRESS is not set"):
        LocalTarget().address("solver")


def test_on_a_cluster_run_and_model_stand_on_the_shared_volume(cluster: Path, tmp_path: Path) -> None:
    root = Path(prepare_from_text(config(tmp_path), 3))
    workspace = tmp_path / "workspace"
    assert root == workspace / "runs" / "one"
    run = RunContext.open(str(root))
    assert run.config.workspace == workspace
    base = run.policy("solver", 0)
    assert base.path == workspace / "models" / base.version
    assert (base.path / "model.safetensors").is_file()
    assert prepare_from_text(config(tmp_path), 3) == str(root), "again is the same"


def test_a_pipeline_of_another_number_of_iterations_is_refused(cluster: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="asks for 3 iterations, the pipeline was compiled for 5"):
        prepare_from_text(config(tmp_path), 5)


def test_the_newest_pipeline_run_owns_the_folder(cluster: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RDIVERSE_PIPELINE_RUN", "old")
    root = prepare_from_text(config(tmp_path), 3)
    monkeypatch.setenv("RDIVERSE_PIPELINE_RUN", "new")
    prepare_from_text(config(tmp_path), 3)
    RunContext.open(root)
    monkeypatch.setenv("RDIVERSE_PIPELINE_RUN", "old")
    with pytest.raises(StepError, match="pipeline run new has taken this run over"):
        RunContext.open(root)
    assert "pipeline run new has taken" in finish(config(tmp_path), "FAILED", "")
    assert not (Path(root) / "status.json").exists()


def test_the_end_of_a_run_that_never_began_is_quiet(cluster: Path, tmp_path: Path) -> None:
    assert "never prepared" in finish(config(tmp_path), "FAILED", "")
    assert "not valid" in finish(yaml.safe_dump({"iterations": -1}), "FAILED", "")
    assert "not valid" in finish("{", "FAILED", "")
