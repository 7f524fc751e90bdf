"""kill -9 in the middle of an evaluation: what was answered stays, what is missing is asked, and the result is the same."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.support.evaluation_killed import SAMPLES, SAMPLING, SET, measure
from tests.support.inference_models import make_tiny_model
from tests.support.inference_serving import served, tiny_config

from rdiverse.evaluation import StoreError
from rdiverse.evaluation.answers import EvaluationPlan
from rdiverse.evaluation.store import AnswerStore

PORTIONS = 160 * SAMPLES // 1024 + 1


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    model = make_tiny_model(tmp_path_factory.mktemp("model"))
    with served("solver", tiny_config(model)) as server:
        yield server.address


@pytest.fixture(scope="module")
def finished(address, tmp_path_factory):
    """A folder that holds a whole evaluation. Tests copy it."""
    folder = tmp_path_factory.mktemp("whole")
    measure(address, folder)
    return folder


@pytest.fixture
def copy(finished, tmp_path):
    return Path(shutil.copytree(finished, tmp_path / "copy"))


def result(folder: Path) -> dict:
    return json.loads((folder / "evaluation.json").read_text())


def portions(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in (folder / "responses").glob("*.jsonl")}


def test_nothing_is_lost_or_asked_again(address, finished, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.evaluation_killed", address, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while len(portions(tmp_path)) < 2:
        assert time.monotonic() < deadline
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    process.kill()
    process.wait()
    kept = portions(tmp_path)
    assert 2 <= len(kept) < PORTIONS
    assert not (tmp_path / "evaluation.json").exists()

    measure(address, tmp_path)

    now = portions(tmp_path)
    assert len(now) == PORTIONS
    assert {name: now[name] for name in kept} == kept, "finished portions are not asked again"
    assert result(tmp_path) == result(finished), "as if nothing had happened"
    asked = [
        json.loads(line)["index"] for name in sorted(now) if "sampled" in name for line in now[name][1].decode().splitlines()
    ]
    assert asked == list(range(160))


def test_a_finished_evaluation_asks_nobody(finished, copy):
    before = portions(copy)
    measure("127.0.0.1:9", copy)
    assert result(copy) == result(finished)
    assert portions(copy) == before


def test_another_evaluation_into_the_same_folder_is_refused(tmp_path):
    plan = EvaluationPlan((SET,), SAMPLES, SAMPLING, greedy=True, seed=5, weights="")
    AnswerStore(tmp_path, plan)
    with pytest.raises(StoreError, match=r"(?s)samples.*32 before, 8 now.*seed"):
        AnswerStore(tmp_path, EvaluationPlan((SET,), 8, SAMPLING, greedy=True, seed=6, weights=""))


@pytest.mark.parametrize("kept", [-100, 0], ids=["truncated", "empty"])
def test_a_portion_that_is_not_whole_is_named(copy, kept):
    victim = copy / "responses" / "sampled-00001.jsonl"
    victim.write_bytes(victim.read_bytes()[:kept])
    with pytest.raises(StoreError, match=r"sampled-00001\.jsonl"):
        measure("127.0.0.1:9", copy)


def test_a_portion_that_is_missing_is_asked_again_and_alone(address, finished, copy):
    before = portions(copy)
    (copy / "responses" / "sampled-00001.jsonl").unlink()
    measure(address, copy)
    now = portions(copy)
    assert [name for name in now if now[name] != before[name]] == ["sampled-00001.jsonl"]
    assert result(copy) == result(finished)
