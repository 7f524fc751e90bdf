"""The same run goes on, also for more iterations; another configuration is refused."""

from pathlib import Path

import pytest

from rdiverse.config import load_config
from rdiverse_pipelines.steps.prepare import OtherConfigurationError, prepare

LOCAL = Path(__file__).parents[2] / "configs" / "local.yaml"


def prepared(workspace: Path, *overrides: str):
    return prepare(load_config(LOCAL, [f"workspace={workspace}", *overrides]))


def test_a_run_goes_on_for_more_iterations_and_keeps_what_it_was(tmp_path: Path):
    prepared(tmp_path, "iterations=1", "local.server_start_seconds=77")
    longer = prepared(tmp_path, "iterations=3")
    kept = load_config(longer.folder.config)
    assert (kept.iterations, kept.local.server_start_seconds) == (3, 77)


@pytest.mark.parametrize("change", ["iterations=1", "solver.samples=7"])
def test_fewer_iterations_or_another_setting_are_another_run(tmp_path: Path, change: str):
    first = prepared(tmp_path, "iterations=2")
    before = first.folder.config.read_text()
    with pytest.raises(OtherConfigurationError, match=change.partition("=")[0]):
        prepared(tmp_path, "iterations=2", change)
    assert first.folder.config.read_text() == before
