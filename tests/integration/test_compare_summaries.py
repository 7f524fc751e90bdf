"""`rdiverse compare` where every run has a summary already: nothing is started, and what does not belong is refused."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.comparison_summaries import summary
from tests.support.local_run import LOCAL

from rdiverse.config import load_config
from rdiverse.selfplay.methods import Method
from rdiverse_pipelines.comparison.setting import setting_of


def compare(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    common = ["compare", "-c", str(LOCAL), "--output", str(folder), "--iterations", "2", "--seeds", "2"]
    return subprocess.run(
        [sys.executable, "-m", "rdiverse.cli", *common, *arguments], capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture
def folder(tmp_path):
    shared = setting_of(load_config(LOCAL, iterations=2))
    for method, gain in ((Method.R_ZERO, 0.0), (Method.R_DIVERSE, 0.05)):
        for seed in (0, 1):
            run = summary(method, seed, 0.5 + 0.1 * seed + gain, shared=shared)
            run.write(tmp_path / "summaries" / run.name)
    return tmp_path


def test_summaries_are_enough(folder):
    done = compare(folder, "--methods", "r-zero,r-diverse")
    assert done.returncode == 0, done.stderr
    assert "4 of 4 runs have a summary already" in done.stderr
    assert "4 runs compared" in done.stdout
    last = json.loads((folder / "comparison.json").read_text())["methods"][1]["differences"][-1]["accuracy_sampled"]
    assert last["mean"] == pytest.approx(0.05)
    assert last["higher"] == 2
    assert not (folder / "runs").exists()


def test_methods_that_are_not_asked_for_stay_in_the_tables(folder):
    done = compare(folder, "--methods", "r-diverse")
    assert done.returncode == 0, done.stderr
    assert "4 runs compared" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--methods", "r-zero", "solver.samples=9"], "solver.samples: 10 before, 9 now"),
        (["--methods", "r-zero", "--iterations", "3"], "iterations: 2 before, 3 now"),
        (["--methods", "r-zero,r-one"], "method 'r-one': must be one of base, "),
        (["--methods", "r-zero", "--reference", "no-penalty"], "the reference no-penalty is not among the methods or"),
        (["--methods", "r-zero", "--model", "/nowhere"], "/nowhere: is not a directory"),
    ],
)
def test_what_does_not_belong_is_refused_before_anything_starts(folder, arguments, said):
    refused = compare(folder, *arguments)
    assert refused.returncode == 2, refused.stderr
    assert said in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (folder / "runs").exists()
    assert not (folder / "comparison.html").exists()


def test_another_base_model_is_refused(folder):
    path = folder / "summaries" / "r-zero-seed0.json"
    data = json.loads(path.read_text())
    data["setting"]["files"]["model"] = "another"
    path.write_text(json.dumps(data))
    refused = compare(folder, "--methods", "r-zero")
    assert refused.returncode == 2
    assert "r-zero-seed0.json is of a run with another configuration or base model" in refused.stderr
    assert "weights and data.model: 'another' before" in refused.stderr
