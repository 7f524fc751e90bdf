"""One rank that trains phases with weights spread over CPU ranks, started by torchrun with FOLDER SHARDING.

Accelerate shards on accelerators only, and on CPUs silently does not; here it is told to. Rollouts are TRL's own with and
without sharding, so that both can be compared. Three phases below FOLDER: `whole`, `cut` (stopped in its last step and
started again) and `adapters` (LoRA).
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import accelerate.state
from accelerate.utils import DistributedType

from rdiverse.config import load_config
from rdiverse.training.settings import grpo_settings
from rdiverse.training.train import build, fit
from rdiverse.training.trainer import SelfPlayTrainer
from tests.support.training_models import write_phase

SHAPE: dict[str, Any] = {"steps": 2, "updates_per_step": 2, "rows_per_forward": 4, "processes": 2}
LORA = {"rank": 2, "alpha": 4.0}


class StopError(Exception):
    """What stands for the end of the processes."""


def shard_on_cpus() -> None:
    initialise = accelerate.state.AcceleratorState.__init__

    def patched(self: Any, *args: Any, fsdp_plugin: Any = None, **kwargs: Any) -> None:
        initialise(self, *args, fsdp_plugin=fsdp_plugin, **kwargs)
        if fsdp_plugin is not None:
            self.fsdp_plugin = fsdp_plugin
            self.distributed_type = DistributedType.FSDP
            accelerate.state.PartialState._shared_state["distributed_type"] = DistributedType.FSDP

    accelerate.state.AcceleratorState.__init__ = patched


def by_content(step: int, completions: Sequence[str], answers: Sequence[str]) -> list[dict[str, float]]:
    del step, answers
    return [{"reward": len(text) % 5 / 5 + len(text.split()) / 7, "malformed": 0.0} for text in completions]


def stopping(step: int, completions: Sequence[str], answers: Sequence[str]) -> list[dict[str, float]]:
    if step == 1:
        raise StopError
    return by_content(step, completions, answers)


def train(folder: Path, model: Path, sharding: str, reward: Any = by_content, **more: Any) -> None:
    checkpointing = sharding == "fsdp2"
    phase = write_phase(folder, model, sharding=sharding, gradient_checkpointing=checkpointing, **SHAPE, **more)
    config = load_config(phase.config_path)
    trainer, recorder = build(phase, config, reward)
    fit(phase, grpo_settings(phase, config), trainer, recorder)


def main(folder: Path, sharding: str) -> None:
    if sharding == "fsdp2":
        shard_on_cpus()
    SelfPlayTrainer.draws_by_itself = True
    model = folder.parent / "model"
    train(folder / "whole", model, sharding)
    try:
        train(folder / "cut", model, sharding, stopping)
    except StopError:
        train(folder / "cut", model, sharding)
    train(folder / "adapters", model, sharding, lora=LORA)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
