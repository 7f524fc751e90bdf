"""One iteration of the local loop with vLLM behind every server. Not collected by itself: it needs an environment with vLLM."""

import json
from pathlib import Path

import pytest
from tests.support.local_run import family, run_to_end


@pytest.mark.timeout(900)
def test_one_iteration_of_the_local_loop_on_vllm(tmp_path: Path):
    run_to_end(tmp_path, "--run-id", "vllm", "--iterations", "1", "inference.engine=vllm", timeout=850)
    root = tmp_path / "runs" / "vllm"
    assert family(root) == [], "vLLM's processes end with the run"
    for role in ("challenger", "solver", "coder"):
        assert "EngineCore" in (root / "logs" / f"{role}.log").read_text()
    base, first = json.loads((root / "summary.json").read_text())["iterations"]
    assert 0 < base["accuracy_sampled"] < base["accuracy_greedy"]
    assert first["proposed"] == 48
    assert 0 < first["kept"] <= 48
    assert 0.5 < first["label_accuracy"] <= 1
    for role in ("challenger", "solver"):
        assert (root / "checkpoints" / "iteration-01" / role / "model.safetensors").is_file()
