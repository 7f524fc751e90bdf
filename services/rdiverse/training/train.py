"""A phase from its file to its published weights."""

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rdiverse.config import GRPOConfig, RunConfig, load_config
from rdiverse.runs.weights import publish, validate
from rdiverse.training import checkpoints
from rdiverse.training.errors import TrainingError
from rdiverse.training.launch.phase import Phase, Role
from rdiverse.training.launch.result import PhaseResult, finished
from rdiverse.training.prompts import phase_rows
from rdiverse.training.settings import trl_arguments

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from rdiverse.training.recorder import Recorder
    from rdiverse.training.trainer import Reward, SelfPlayTrainer

logger = logging.getLogger(__name__)


def train(phase: Phase, started: float) -> None:
    """Train, publish, write the result. `started`: wall-clock time of the launch. Every rank calls this.

    Raises TrainingError and whatever services, disk or libraries raise; the last complete checkpoint stays.
    """
    if finished(phase):
        return
    config = load_config(phase.config_path)
    training = config.challenger.training if phase.role is Role.CHALLENGER else config.solver.training
    validate(phase.model)
    tokenizer = load_tokenizer(phase.model)
    rows = phase_rows(phase, config, tokenizer)
    trainer, recorder = _build(phase, config, training, tokenizer, rows, started)
    checkpoint = checkpoints.last_complete(phase.resume_dir)
    if trainer.accelerator.is_main_process:
        checkpoints.sweep_incomplete(phase.resume_dir)
        recorder.keep_rows(_steps(checkpoint, training))
    trainer.accelerator.wait_for_everyone()
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if trainer.accelerator.is_main_process:
        _publish(phase, trainer, recorder)
    trainer.accelerator.wait_for_everyone()
    trainer.accelerator.end_training()


def load_tokenizer(model: Path) -> "PreTrainedTokenizerBase":
    """The tokenizer of a model directory, padding on the left. Raises TrainingError when rollouts cannot end or be padded."""
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(model, padding_side="left", truncation_side="left")
    if tokenizer.eos_token_id is None:
        raise TrainingError(f"{model}: the tokenizer has no end-of-sequence token, so a rollout could never end")
    if tokenizer.pad_token_id is None:
        logger.warning("%s: the tokenizer has no padding token; the end-of-sequence token pads", model)
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer  # type: ignore[no-any-return]


def _build(
    phase: Phase,
    config: RunConfig,
    training: GRPOConfig,
    tokenizer: "PreTrainedTokenizerBase",
    rows: list[dict[str, Any]],
    started: float,
) -> tuple["SelfPlayTrainer", "Recorder"]:
    import torch
    from datasets import Dataset
    from transformers.trainer_callback import PrinterCallback
    from transformers.utils.logging import disable_progress_bar

    from rdiverse.training.recorder import Recorder
    from rdiverse.training.trainer import SelfPlayTrainer

    disable_progress_bar()
    arguments = trl_arguments(phase, training, on_gpu=torch.cuda.is_available())
    rollouts = training.prompts_per_step * training.group_size
    first = arguments.process_index == 0  # which also brings torch.distributed up
    recorder = Recorder(phase, training.steps, rollouts, started)
    trainer = SelfPlayTrainer(
        model=str(phase.model),
        args=arguments,
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        callbacks=[recorder] if first else [],
        reward=_reward(phase, config),
        training=training,
        seed=phase.seed,
        rows_together=config.inference.max_batch_rows,
    )
    recorder.trainer = trainer
    trainer.remove_callback(PrinterCallback)
    return trainer, recorder


def _reward(phase: Phase, config: RunConfig) -> "Reward":
    if phase.role is Role.SOLVER:
        from rdiverse.grading.pool import GradingPool
        from rdiverse.training.reward.solver import SolverReward

        return SolverReward(config.solver.reward, GradingPool())
    from rdiverse.training.exchange import Exchange
    from rdiverse.training.reward.challenger import ChallengerReward
    from rdiverse.training.reward.remote import RemoteServices

    exchange = Exchange(config.challenger.reward.timeout_seconds)
    services = RemoteServices(phase, config) if exchange.rank == 0 else None
    return ChallengerReward(config, services, exchange)


def _publish(phase: Phase, trainer: "SelfPlayTrainer", recorder: "Recorder") -> None:
    before = time.perf_counter()
    version = publish(phase.output, trainer.publishable)
    seconds = recorder.totals()
    seconds["save"] = round(seconds["save"] + time.perf_counter() - before, 4)
    terms = ("reward", "uncertainty", "p_rep", "p_map", "accuracy", "boxed")
    malformed = [row["malformed"] for row in recorder.rows]
    PhaseResult(
        version=version,
        steps=len(recorder.rows),
        seconds={"startup": round(recorder.startup, 4), **seconds},
        reward_terms=[{name: row[name] for name in terms if name in row} for row in recorder.rows],
        malformed=sum(malformed) / max(len(malformed), 1),
        resumed_steps=recorder.resumed_steps,
    ).save(phase.result_path)
    # The result is on disk: from here on the phase is finished, whatever happens.
    checkpoints.remove_all(phase.resume_dir)


def _steps(checkpoint: Path | None, training: GRPOConfig) -> int:
    return 0 if checkpoint is None else checkpoints.update(checkpoint) // training.updates_per_step
