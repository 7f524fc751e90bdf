"""What training costs in the nano world: against bare TRL, without each saving, on one rank and two, rewards over the wire.

Every ratio is taken within this run, from interleaved pairs. What is measured is configs/local.yaml as it stands.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks._training_phase import medians, ours_seconds, phase_of, questions
from benchmarks._training_savings import without_savings

from rdiverse.config import RunConfig, dump_config
from rdiverse.runs.folder import RunFolder
from rdiverse.runs.lifeline import held_lifeline
from rdiverse.selfplay.roles import Role
from rdiverse.training.launch import Phase, launcher_from_environment

PAIRS = 5


def measure() -> dict[str, Any]:
    """Give overhead_vs_trl, reward_overlap, and seconds a step of each part: on 1 and 2 ranks, bare TRL's, without savings."""
    os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return {
            "load_before": os.getloadavg()[0],
            **_against_trl(folder / "trl"),
            "ranks": {str(ranks): _on_ranks(folder / f"ranks-{ranks}", ranks) for ranks in (1, 2)},
            **_reward_overlap(folder / "reward"),
            "seconds_per_step_without": without_savings(folder / "without"),
            "load_after": os.getloadavg()[0],
        }


# Against bare TRL


def _against_trl(folder: Path) -> dict[str, Any]:
    import torch

    torch.set_num_threads(1)
    ours, theirs = [], []
    for pair in range(PAIRS):
        phase, config = phase_of(folder / str(pair))
        measured = {"ours": ours, "theirs": theirs}
        for name in ("ours", "theirs") if pair % 2 else ("theirs", "ours"):
            measured[name].append(_OURS_AND_THEIRS[name](replace(phase, resume_dir=phase.resume_dir / name), config))
    ratios = [mine["step"] / bare["step"] for mine, bare in zip(ours, theirs, strict=True)]
    return {
        "overhead_vs_trl": round(statistics.median(ratios), 3),
        "overhead_vs_trl_pairs": [round(ratio, 3) for ratio in ratios],
        "seconds_per_step": {"ours": medians(ours), "bare_trl": medians(theirs)},
    }


def _bare(phase: Phase, config: RunConfig) -> dict[str, float]:
    """TRL's own trainer with the same model, rows, settings and reward, timed from outside."""
    from datasets import Dataset
    from transformers import TrainerCallback
    from transformers.trainer_callback import PrinterCallback
    from trl import GRPOTrainer

    from rdiverse.grading.pool import GradingPool
    from rdiverse.selfplay.parsing import last_boxed
    from rdiverse.training.prompts import phase_rows
    from rdiverse.training.settings import trl_arguments
    from rdiverse.training.train import load_tokenizer

    tokenizer = load_tokenizer(phase.model)
    spent = {"rollout": 0.0, "reward": 0.0}
    steps: list[dict[str, float]] = []

    def timed(part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            before = time.perf_counter()
            result = call(*args, **kwargs)
            spent[part] += time.perf_counter() - before
            return result

        return wrapper

    class Timer(TrainerCallback):
        last = 0.0

        def on_step_begin(self, *_args: Any, **_kwargs: Any) -> None:
            if not self.last:
                self.last = time.perf_counter()

        def on_log(self, *_args: Any, logs: dict[str, Any] | None = None, **_kwargs: Any) -> None:
            if "loss" in (logs or {}):
                now = time.perf_counter()
                step = now - self.last
                steps.append({**spent, "update": step - sum(spent.values()), "step": step})
                spent.update(rollout=0.0, reward=0.0)
                self.last = now

    with GradingPool() as pool:

        def correct(completions: list[str], answer: list[str], **_kwargs: Any) -> list[float]:
            boxes = [last_boxed(text) for text in completions]
            return [float(box is not None and pool.equal(box, truth)) for box, truth in zip(boxes, answer, strict=True)]

        trainer = GRPOTrainer(
            model=str(phase.model),
            args=trl_arguments(phase, config.solver.training, on_gpu=False),
            train_dataset=Dataset.from_list(phase_rows(phase, config, tokenizer)),
            processing_class=tokenizer.library,
            reward_funcs=[timed("reward", correct)],
            callbacks=[Timer()],
        )
        trainer.remove_callback(PrinterCallback)
        trainer._generate_single_turn = timed("rollout", trainer._generate_single_turn)  # noqa: SLF001 - to time it
        trainer.train()
    return medians(steps[1:])


_OURS_AND_THEIRS: dict[str, Callable[[Phase, RunConfig], dict[str, float]]] = {"ours": ours_seconds, "theirs": _bare}


# Ranks


def _on_ranks(folder: Path, ranks: int) -> dict[str, float]:
    """Seconds a step of each part under torchrun, and of the start-up."""
    phase, _config = phase_of(folder, f"solver.training.processes={ranks}", "solver.training.rows_per_forward=112")
    result = launcher_from_environment().run(phase)
    rows = [json.loads(line)["seconds"] for line in phase.metrics_path.read_text(encoding="utf-8").splitlines()]
    return {**medians(rows[1:]), "startup": result.seconds["startup"]}


# Rewards over the wire


def _reward_overlap(folder: Path) -> dict[str, Any]:
    """The whole reward of a step's questions against the slower of its two calls alone, new questions each time."""
    from rdiverse.selfplay.methods import Similarity
    from rdiverse.training.exchange import Exchange
    from rdiverse.training.reward.challenger import ChallengerReward
    from rdiverse.training.reward.remote import RemoteServices

    ratios = []
    with _served(folder) as (phase, config), RemoteServices(phase, config) as services:
        reward = ChallengerReward(config, services, Exchange(600))
        training = config.challenger.training
        for number in range(PAIRS + 1):
            sets = iter(
                [
                    [
                        row["question"]
                        for row in questions(3 * number + part + 1, training.prompts_per_step * training.group_size)
                    ]
                    for part in range(3)
                ]
            )
            solve = _seconds(lambda questions: services.shares(0, questions), next(sets))
            score = _seconds(lambda questions: services.repetitions(questions, Similarity.PROGRAM), next(sets))
            texts = [f"<question> {question} </question> \\boxed{{ 1 }}" for question in next(sets)]
            both = _seconds(lambda completions: reward.score(0, completions), texts)
            ratios.append((both / max(solve, score), solve, score, both))
    ratios = ratios[1:]  # the first warms the servers up
    middle = sorted(ratios)[len(ratios) // 2]
    return {
        "reward_overlap": round(middle[0], 3),
        "reward_overlap_rounds": [round(each[0], 3) for each in ratios],
        "reward_seconds": dict(zip(("solve", "score", "both"), (round(value, 3) for value in middle[1:]), strict=True)),
    }


def _seconds(call: Callable[[list[str]], Any], items: list[str]) -> float:
    before = time.perf_counter()
    call(items)
    return time.perf_counter() - before


@contextmanager
def _served(folder: Path) -> Iterator[tuple[Phase, RunConfig]]:
    """The servers of a local run, and a Challenger's phase that finds them."""
    from rdiverse_pipelines.local.servers import running_servers

    phase, config = phase_of(folder)
    run = RunFolder.of(folder, "measured")
    for path in (run.logs, run.memory):
        path.mkdir(parents=True, exist_ok=True)
    run.config.write_text(dump_config(config), encoding="utf-8")
    with held_lifeline(folder / "lifeline") as lifeline, running_servers(config, run, lifeline) as servers:
        os.environ |= servers.environment
        yield replace(phase, role=Role.CHALLENGER, run="measured"), config


if __name__ == "__main__":
    json.dump(measure(), sys.stdout, indent=2)
