"""`rdiverse compare` end to end with real, small runs: resumable, from summaries alone, and picky about what it compares."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest
from tests.support.local_run import LOCAL, SMALL, family, wait_for

from rdiverse.nano.oracle import oracle

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


def command(folder: Path, *arguments: str) -> list[str]:
    common = ["compare", "-c", str(LOCAL), "--output", str(folder), "--iterations", "1", "--first-seed", "7", "--seeds", "1"]
    return [sys.executable, "-m", "rdiverse.cli", *common, *arguments, *SMALL]


def compare(folder: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command(folder, *arguments), capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == code, f"{done.stdout}\n{done.stderr}"
    return done


def workers(folder: Path) -> list[psutil.Process]:
    """Living processes that hang on the comparison's lifeline."""
    wanted = f"RDIVERSE_COMPARISON_LIFELINE={(folder / 'lifeline').resolve()}".encode()
    found = []
    for process in psutil.process_iter():
        try:
            if wanted in Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0"):
                found.append(process)
        except (OSError, psutil.Error):
            continue
    return found


def test_two_methods_side_by_side_once_and_from_then_on_from_their_summaries(tmp_path: Path):
    both = ("--methods", "r-zero,r-diverse", "--jobs", "2")
    compare(tmp_path, *both)
    data = json.loads((tmp_path / "comparison.json").read_text())
    assert [(each["method"], each["seeds"]) for each in data["methods"]] == [("r-zero", [7]), ("r-diverse", [7])]
    assert all(run["commit"] not in {"", "unknown"} for run in data["runs"]) or not (LOCAL.parents[1] / ".git").exists()
    for each in data["methods"]:
        run = tmp_path / "runs" / f"{each['method']}-seed7"
        own = json.loads((run / "summary.json").read_text())["iterations"]
        for t, row in enumerate(own):
            for key in ("accuracy_sampled", "accuracy_greedy", "worst_skill", "label_accuracy", "effective_skills"):
                assert each["iterations"][t].get(key, {"mean": None})["mean"] == row[key]
        labels = {row["index"]: row for row in pq.read_table(run / "iteration-01" / "labels.parquet").to_pylist()}
        kept = [row for row in pq.read_table(run / "iteration-01" / "curated.parquet").to_pylist() if row["status"] == "kept"]
        seen = {oracle.skill(row["question"]) for row in kept} & set(oracle.skills())
        assert each["iterations"][1]["coverage"]["mean"] == pytest.approx(len(seen) / 438)
        known = [row for row in labels.values() if row["truth"] is not None]
        assert sum(total for _, total in each["labels"]) == len(known)
        assert sum(right for right, _ in each["labels"]) == sum(row["truth_agrees"] for row in known)

    page = (tmp_path / "comparison.html").read_bytes()
    shutil.rmtree(tmp_path / "runs")
    began = time.monotonic()
    again = compare(tmp_path, *both)
    assert "2 of 2 runs have a summary already" in again.stderr
    assert time.monotonic() - began < 30
    assert not list(tmp_path.glob("runs/*/iteration-01")), "nothing was trained"
    assert (tmp_path / "comparison.html").read_bytes() == page

    refused = compare(tmp_path, *both, "replay_share=0.5", code=2)
    assert "replay_share: 0.3 before, 0.5 now" in refused.stderr
    refused = compare(tmp_path, "--methods", "no-penalty", "--reference", "base", code=2)
    assert "the reference base is not among the methods or the summaries" in refused.stderr
    refused = compare(tmp_path, "--methods", "r-zero,r-one", code=2)
    assert "method 'r-one': must be one of base, " in refused.stderr


def test_kill_9_leaves_no_process_and_the_same_command_goes_on(tmp_path: Path):
    arguments = ("--methods", "r-zero")
    run = tmp_path / "runs" / "r-zero-seed7"
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command(tmp_path, *arguments), stdout=log, stderr=log)
    wait_for(process, run, lambda event: event["step"] == "propose" and event["kind"] == "end")
    assert workers(tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 10
    while family(run) or workers(tmp_path):
        assert time.monotonic() < deadline, "processes were left behind"
        time.sleep(0.1)
    proposed = (run / "iteration-01" / "questions.parquet").stat().st_mtime_ns
    assert not list((tmp_path / "summaries").glob("*.json"))
    compare(tmp_path, *arguments)
    assert (run / "iteration-01" / "questions.parquet").stat().st_mtime_ns == proposed, "what was done stayed done"
    assert (tmp_path / "summaries" / "r-zero-seed7.json").is_file()
    assert "r-zero-seed7" not in json.loads((tmp_path / "comparison.json").read_text())["missing"]
