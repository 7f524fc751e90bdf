"""A phase from its file to its published weights."""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rdiverse.config import GRPOConfig, RunConfig, load_config
from rdiverse.lm.tokenizer import ChatTokenizer
from rdiverse.lm.weights import MANIFEST, publish, validate, weight_files, weights_version
from rdiverse.runs.files import file_digest
from rdiverse.selfplay.roles import Role
from rdiverse.training import adapters, checkpoints
from rdiverse.training.errors import TrainingError
from rdiverse.training.launch.phase import Phase
from rdiverse.training.launch.result import PhaseResult, finished
from rdiverse.training.prompts import phase_rows
from rdiverse.training.settings import grpo_settings, trl_arguments

if TYPE_CHECKING:
    import torch

    from rdiverse.training.recorder import Recorder
    from rdiverse.training.trainer import Reward, SelfPlayTrainer

logger = logging.getLogger(__name__)

TERMS = ("reward", "uncertainty", "p_rep", "p_map", "accuracy", "boxed")


def train(phase: Phase, started: float) -> None:
    """Train, publish, write the result. `started`: wall-clock time of the launch. Every rank calls this.

    Raises TrainingError and whatever services, disk or libraries raise; the last complete checkpoint stays.
    """
    if finished(phase):
        return
    config = load_config(phase.config_path)
    with reward_of(phase, config) as reward:
        trainer, recorder = build(phase, config, reward, started)
        fit(phase, grpo_settings(phase, config), trainer, recorder)
    trainer.accelerator.end_training()


def build(
    phase: Phase, config: RunConfig, reward: "Reward", started: float | None = None
) -> tuple["SelfPlayTrainer", "Recorder"]:
    """Make the trainer of a phase and what records it. Raises TrainingError and CheckpointError for bad input."""
    import torch
    from datasets import Dataset
    from transformers.trainer_callback import PrinterCallback
    from transformers.utils.logging import disable_progress_bar

    from rdiverse.training.recorder import Recorder
    from rdiverse.training.trainer import SelfPlayTrainer

    disable_progress_bar()  # type: ignore[no-untyped-call]
    training = grpo_settings(phase, config)
    ranks = int(os.environ.get("WORLD_SIZE", "1"))
    if ranks != training.processes:
        raise TrainingError(f"training.processes = {training.processes}, but {ranks} were started: a step would be another one")
    if first_rank():
        validate(phase.model)
    tokenizer = load_tokenizer(phase.model)
    rows = phase_rows(phase, config, tokenizer)
    arguments = trl_arguments(phase, training, torch.cuda.is_available(), config.inference.engine)
    if not torch.cuda.is_available():
        # With several ranks accelerate names it cpu:0, which torch.load knows no storage for when resuming.
        arguments.__dict__["_setup_devices"] = torch.device("cpu")
    recorder = Recorder(phase, training, time.time() if started is None else started, serve=first_rank())
    trainer = SelfPlayTrainer(
        model=str(phase.model),
        args=arguments,
        train_dataset=Dataset.from_list(rows),
        tokenizer=tokenizer,
        callbacks=[recorder] if first_rank() else [],
        reward=reward,
        training=training,
        seed=phase.seed,
        max_rows=config.inference.max_batch_rows,
        peft_config=adapters.peft_config(training.lora) if training.lora else None,
    )
    if training.lora:
        adapters.check(trainer.model)
    if training.sharding == "fsdp2" and not trainer.accelerator.is_fsdp2:
        raise TrainingError("training.sharding = fsdp2: there is nothing to shard over without GPUs; set none")
    recorder.trainer = trainer
    trainer.remove_callback(PrinterCallback)
    return trainer, recorder


def fit(phase: Phase, training: GRPOConfig, trainer: "SelfPlayTrainer", recorder: "Recorder") -> None:
    """Train from the last complete checkpoint to the end, publish, write the result, delete the checkpoints."""
    if trainer.accelerator.is_main_process:
        checkpoints.discard_stale(phase.resume_dir, inputs_of(phase))
    trainer.accelerator.wait_for_everyone()
    checkpoint = checkpoints.last_complete(phase.resume_dir)
    if trainer.accelerator.is_main_process:
        recorder.keep_rows(0 if checkpoint is None else checkpoints.update(checkpoint) // training.updates_per_step)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    weights = trainer.weights()
    if trainer.accelerator.is_main_process:
        _publish(phase, trainer, weights, recorder)
    trainer.accelerator.wait_for_everyone()


def inputs_of(phase: Phase) -> dict[str, Any]:
    """Everything that decides what the phase computes: checkpoints of other inputs are of no use to it."""
    manifest = (phase.model / MANIFEST).is_file()
    return {
        "role": phase.role,
        "iteration": phase.iteration,
        "seed": phase.seed,
        "run": phase.run,
        "config": file_digest(phase.config_path),
        "dataset": file_digest(phase.dataset) if phase.role is Role.SOLVER and phase.dataset else None,
        "solver_weights": phase.solver_weights,
        # Digests of a checkpoint that nobody published cost minutes; it is not expected to change under its name.
        "model": weights_version(phase.model)
        if manifest
        else [[name, (phase.model / name).stat().st_size] for name in weight_files(phase.model)],
    }


def first_rank() -> bool:
    """Whether this is rank 0; also before torch.distributed is up."""
    return os.environ.get("RANK", "0") == "0"


def load_tokenizer(model: Path) -> ChatTokenizer:
    """The tokenizer of a model directory, able to pad. Raises TrainingError when a rollout could never end."""
    tokenizer = ChatTokenizer(model)
    if tokenizer.library.eos_token_id is None:
        raise TrainingError(f"{model}: the tokenizer has no end-of-sequence token, so a rollout could never end")
    if tokenizer.library.pad_token_id is None:
        logger.warning("%s: the tokenizer has no padding token; the end-of-sequence token pads", model)
        tokenizer.library.pad_token = tokenizer.library.eos_token
    return tokenizer


@contextmanager
def reward_of(phase: Phase, config: RunConfig) -> Iterator["Reward"]:
    """Open what the phase's reward needs, and close it. Every rank calls this. Raises TrainingError."""
    if phase.role is Role.SOLVER:
        from rdiverse.grading.pool import GradingPool
        from rdiverse.training.reward.solver import SolverReward

        with GradingPool() as pool:
            yield SolverReward(config.solver.reward, pool)
        return
    from rdiverse.training.exchange import Exchange
    from rdiverse.training.reward.challenger import ChallengerReward
    from rdiverse.training.reward.remote import RemoteServices

    exchange = Exchange(config.challenger.reward.timeout_seconds)
    if not first_rank():
        yield ChallengerReward(config, None, exchange)
        return
    with RemoteServices(phase, config) as services:
        yield ChallengerReward(config, services, exchange)


def _publish(phase: Phase, trainer: "SelfPlayTrainer", weights: dict[str, "torch.Tensor"], recorder: "Recorder") -> None:
    before = time.perf_counter()
    version = publish(phase.output, lambda folder: trainer.write(folder, weights))
    seconds = recorder.totals()
    seconds["save"] = round(seconds["save"] + time.perf_counter() - before, 4)
    PhaseResult(
        version=version,
        steps=len(recorder.rows),
        seconds={"startup": round(recorder.startup, 4), **seconds},
        reward_terms=[{name: row[name] for name in TERMS if name in row} for row in recorder.rows],
        malformed=sum(row["malformed"] for row in recorder.rows) / len(recorder.rows),
        resumed_steps=recorder.resumed_steps,
    ).save(phase.result_path)
    # The result is on disk: from here on the phase is finished, whatever happens.
    checkpoints.remove_all(phase.resume_dir)
