"""FSDP2 with two ranks on CPUs: weights that are spread over ranks train as whole ones do."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from tests.support.training_models import write_model
from tests.support.training_services import ROOT, free_port

from rdiverse.training.launch.local import CPU_ENVIRONMENT

FIGURES = ("reward", "completion_tokens", "loss", "kl", "gradient_norm", "entropy")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both kinds, trained."""
    import os

    folder = tmp_path_factory.mktemp("sharded")
    write_model(folder / "model")
    for sharding in ("none", "fsdp2"):
        subprocess.run(
            [
                sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--master-addr=127.0.0.1",
                f"--master-port={free_port()}", "-m", "tests.support.training_sharded", str(folder / sharding), sharding,
            ],
            cwd=ROOT, env=CPU_ENVIRONMENT | os.environ, check=True, timeout=300,
        )  # fmt: skip
    return folder


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("phase", ["whole", "adapters"])
def test_sharded_weights_train_as_whole_ones_do(folder: Path, phase: str) -> None:
    whole, sharded = rows(folder / "none" / phase), rows(folder / "fsdp2" / phase)
    assert len(whole) == 2
    for name in FIGURES:
        assert [row[name] for row in sharded] == pytest.approx([row[name] for row in whole], abs=1e-4), name
    expected = load_file(folder / "none" / phase / "weights" / "model.safetensors")
    found = load_file(folder / "fsdp2" / phase / "weights" / "model.safetensors")
    assert set(found) == set(expected), "all of them, under their own names"
    assert max((found[name] - expected[name]).abs().max().item() for name in found) < 1e-4


@pytest.mark.long
@pytest.mark.timeout(900)
def test_sharded_weights_resume(folder: Path) -> None:
    whole, cut = rows(folder / "fsdp2" / "whole"), rows(folder / "fsdp2" / "cut")
    for name in FIGURES:
        assert [row[name] for row in cut] == pytest.approx([row[name] for row in whole], abs=1e-5), name
    expected = load_file(folder / "fsdp2" / "whole" / "weights" / "model.safetensors")
    found = load_file(folder / "fsdp2" / "cut" / "weights" / "model.safetensors")
    assert max((found[name] - expected[name]).abs().max().item() for name in found) < 1e-5
