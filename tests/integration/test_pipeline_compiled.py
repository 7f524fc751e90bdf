"""The committed pipeline for 5 iterations runs on one machine from its YAML, as it is."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.local_run import LOCAL, SMALL

from rdiverse.config import dump_config, load_config
from rdiverse.runs.lifeline import held_lifeline
from rdiverse_pipelines.local.run import _on_path, is_finished
from rdiverse_pipelines.local.servers import running_servers
from rdiverse_pipelines.steps.prepare import begin_session, prepare

COMPILED = Path(__file__).parents[2] / "pipelines" / "compiled"

RUN = """
import sys
from kfp import components, local
local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=sys.argv[3], raise_on_error=True)
components.load_component_from_file(sys.argv[1])(config=open(sys.argv[2]).read())
"""


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_five_iterations_from_the_committed_yaml(tmp_path: Path) -> None:
    less = ("challenger.training.steps=1", "solver.training.steps=1", "evaluation.samples=1")
    config = load_config(LOCAL, [*SMALL, *less, "iterations=5", "run_id=five", f"workspace={tmp_path}"])
    folder = prepare(config).folder
    begin_session(folder)
    temporary = tmp_path / "temporary"  # for the directories that Kubeflow's runner leaves
    temporary.mkdir()
    text = tmp_path / "config.yaml"
    text.write_text(dump_config(config))
    with held_lifeline(folder.root / "lifeline") as lifeline, running_servers(config, folder, lifeline) as servers:
        command = [sys.executable, "-c", RUN, str(COMPILED / "iterations-5.yaml"), str(text), str(tmp_path / "kfp")]
        environment = {**os.environ, **servers.environment, **_on_path(), "TMPDIR": str(temporary)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert is_finished(folder, config)
    assert [row["iteration"] for row in json.loads(folder.summary.read_text())["iterations"]] == [0, 1, 2, 3, 4, 5]
    assert json.loads((folder.root / "status.json").read_text())["state"] == "SUCCEEDED"
