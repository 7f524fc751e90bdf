"""Every method is the same loop with other remedies, the same seed gives the same run, and any model may play."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tests.support.inference_models import make_tiny_model
from tests.support.local_run import run_to_end

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


def run(workspace: Path, *arguments: str) -> tuple[Path, dict[str, Any]]:
    run_to_end(workspace, "--run-id", "it", *arguments, timeout=800)
    root = workspace / "runs" / "it"
    return root, json.loads((root / "summary.json").read_text())


def tables(root: Path, name: str) -> list[list[dict[str, Any]]]:
    return [pq.read_table(path).to_pylist() for path in sorted(root.glob(f"iteration-*/{name}.parquet"))]


def without_timings(summary: dict[str, Any]) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in summary["iterations"]]


def test_the_same_seed_gives_the_same_run_and_another_seed_another(tmp_path: Path):
    first, summary = run(tmp_path / "first", "--iterations", "2")
    again, summary_again = run(tmp_path / "again", "--iterations", "2")
    other, _ = run(tmp_path / "other", "--iterations", "1", "--seed", "1")
    for name in ("questions", "labels", "curated", "dataset"):
        assert tables(first, name) == tables(again, name), name
        assert tables(first, name)[0] != tables(other, name)[0], name
    assert without_timings(summary) == without_timings(summary_again)
    new, replayed = (sum(row["source"] == source for row in tables(first, "dataset")[1]) for source in ("new", "replay"))
    assert replayed >= new * 3 // 7 > 0, "the second iteration replays 30 %"
    assert summary["iterations"][2]["reward_terms"]["p_map"] > 0, "the memory of the first iteration is felt"
    assert summary["iterations"][2]["cross_iteration_repetition"] is not None


def test_r_zero_with_replay_has_no_memory_penalty_but_replays(tmp_path: Path):
    root, summary = run(tmp_path, "--iterations", "2", "--method", "r-zero-replay")
    assert [row["reward_terms"]["p_map"] for row in summary["iterations"][1:]] == [0, 0]
    assert summary["iterations"][2]["replayed"] > 0
    assert {row["source"] for row in tables(root, "dataset")[1]} == {"new", "replay"}


def test_without_sam_the_words_are_what_is_remembered_for_training(tmp_path: Path):
    _, summary = run(tmp_path, "--iterations", "2", "--method", "r-diverse-without-sam")
    terms = summary["iterations"][2]["reward_terms"]
    assert terms["p_rep"] > 0
    assert terms["p_map"] > 0
    assert summary["iterations"][2]["effective_skills"] > 1, "what is measured is still measured by programs"


def test_an_untrained_challenger_keeps_the_base_weights(tmp_path: Path):
    root, summary = run(tmp_path, "--iterations", "1", "--method", "base-challenger")
    base = json.loads((root / "base.json").read_text())["version"]
    assert {row["weights"] for row in tables(root, "questions")[0]} == {base}
    assert summary["iterations"][1]["reward_terms"] == {"uncertainty": None, "p_rep": None, "p_map": None}
    assert not (root / "checkpoints" / "iteration-01" / "challenger").exists()
    assert (root / "checkpoints" / "iteration-01" / "solver").is_dir()


def test_a_model_with_its_own_tokenizer_and_chat_template_plays_without_an_oracle(tmp_path: Path):
    model = make_tiny_model(tmp_path / "tiny-qwen3", positions=2048)
    benchmark = tmp_path / "held-out.jsonl"
    benchmark.write_text("".join(json.dumps({"question": f"What is {n}?", "answer": str(n)}) + "\n" for n in range(8)))
    _, summary = run(
        tmp_path,
        "--iterations",
        "1",
        f"model={model}",
        "oracle=null",
        f"evaluation.benchmarks=[{{name: held-out, path: {benchmark}}}]",
        # Challenger and Solver get the instructions that ship for large models. The coder is the nano one, which writes
        # programs for none of the random questions unless it is shown one of its own as well.
        'prompts={coder: {system: "{question}", user: "<coder> Eva has 23 beads and Jon has 15 . What is the result ?"}}',
        "inference.max_model_len=2048",
        "challenger.training.max_prompt_tokens=1500",
        "solver.training.max_prompt_tokens=1500",
        "solver.band=[0, 1]",
    )
    base, first = summary["iterations"]
    assert base["accuracy_sampled"] is not None
    assert base["worst_skill"] is None, "nobody told the skills of these questions"
    assert first["label_accuracy"] is None
    assert first["ill_posed_share"] is None
    assert first["proposed"] == 48
    assert 0 < first["kept"] <= 48
