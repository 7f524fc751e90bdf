"""The shipped base model is what its recipe writes."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import rdiverse.nano
from rdiverse.nano.batches import corpus_digest
from rdiverse.nano.benchmark import BENCHMARK, read_benchmark
from rdiverse.nano.model import model_config
from rdiverse.nano.pretrain import RECIPE, SEED, STEPS, pretrain, train
from rdiverse.nano.scores import measure
from rdiverse.nano.tokenizer import build_tokenizer

CHECKPOINT = Path(rdiverse.nano.__file__).parent / "checkpoint"
"""The shipped base model."""
recipe: dict[str, Any] = json.loads((CHECKPOINT / RECIPE).read_text())


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_checkpoint_is_small_and_complete() -> None:
    names = {path.name for path in CHECKPOINT.iterdir()}
    assert {
        "model.safetensors",
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        RECIPE,
    } <= names
    assert sum(path.stat().st_size for path in CHECKPOINT.iterdir()) <= 8 * 2**20


def test_config_and_tokenizer_are_those_of_the_code(tmp_path: Path) -> None:
    model_config().save_pretrained(tmp_path)
    fresh, shipped = (json.loads((folder / "config.json").read_text()) for folder in (tmp_path, CHECKPOINT))
    named_by_the_library = {"architectures", "dtype", "transformers_version"}
    assert {k: v for k, v in fresh.items() if k not in named_by_the_library} == {
        k: v for k, v in shipped.items() if k not in named_by_the_library
    }
    build_tokenizer().save_pretrained(tmp_path)
    assert json.loads((tmp_path / "tokenizer.json").read_text()) == json.loads((CHECKPOINT / "tokenizer.json").read_text())


def test_the_recipe_names_these_data_and_these_weights() -> None:
    assert (recipe["seed"], recipe["steps"]) == (SEED, STEPS)
    assert recipe["data_sha256"] == corpus_digest(SEED, STEPS)
    assert recipe["benchmark_sha256"] == sha256(BENCHMARK)
    assert recipe["weights_sha256"] == sha256(CHECKPOINT / "model.safetensors")


def test_held_out_scores_are_within_the_stated_spread() -> None:
    torch.set_num_threads(1)
    model = AutoModelForCausalLM.from_pretrained(CHECKPOINT).eval()
    assert model.dtype == torch.float32
    assert sum(weight.numel() for weight in model.parameters()) == recipe["parameters"]
    tokenizer = AutoTokenizer.from_pretrained(CHECKPOINT)
    sample = read_benchmark()[::3]
    scores = measure(model, tokenizer, sample, seed=7, proposals=150)
    wider = 3**0.5  # a third of the questions
    for name in ("greedy", "sampled"):
        assert getattr(scores, name) == pytest.approx(recipe["scores"][name], abs=3 * wider * recipe["spread"][name])
    assert scores.parseable >= 0.97
    assert scores.well_posed >= 0.9
    assert scores.coder >= 0.93


def test_training_repeats_itself() -> None:
    first, again, other = (train(seed, steps=6) for seed in (0, 0, 1))
    for name, weight in first.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name])
    assert not torch.equal(first.lm_head.weight, other.lm_head.weight)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_recipe_writes_a_checkpoint_that_loads(tmp_path: Path) -> None:
    losses: list[float] = []
    written = pretrain(tmp_path / "new", seed=5, steps=20, on_step=lambda _, loss: losses.append(loss))
    assert written == json.loads((tmp_path / "new" / RECIPE).read_text())
    assert set(written) == set(recipe)
    assert written["data_sha256"] == corpus_digest(5, 20)
    assert len(losses) == 20
    assert losses[-1] < losses[0]
    assert {path.name for path in (tmp_path / "new").iterdir()} == {path.name for path in CHECKPOINT.iterdir()}
    AutoModelForCausalLM.from_pretrained(tmp_path / "new")
    with pytest.raises(FileExistsError):
        pretrain(tmp_path / "new", seed=5, steps=20)
