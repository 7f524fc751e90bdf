"""Figures of every step: into metrics.jsonl, to Prometheus, into the phase's result; and progress events."""

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from rdiverse.config import GRPOConfig
from rdiverse.runs.events import Event, EventLog
from rdiverse.runs.files import written_aside
from rdiverse.runs.lines import append_line, read_lines
from rdiverse.training.errors import TrainingError
from rdiverse.training.launch.phase import Phase
from rdiverse.training.metrics import Gauges

if TYPE_CHECKING:
    from rdiverse.training.trainer import SelfPlayTrainer

RECORDED = {
    "loss": "loss",
    "grad_norm": "gradient_norm",
    "learning_rate": "learning_rate",
    "kl": "kl",
    "entropy": "entropy",
    "group_std": "group_std",
    "equal_groups": "equal_groups",
    "clip_ratio/low_mean": "clip_low",
    "clip_ratio/high_mean": "clip_high",
    "clip_ratio/region_mean": "clip_fraction",
    "completions/mean_length": "completion_tokens",
    "completions/max_length": "completion_tokens_max",
    "completions/clipped_ratio": "truncated",
}
"""TRL's names and ours."""
TERM = "terms/"


class Recorder(TrainerCallback):
    """Writes one row a generation batch. Lives on rank 0."""

    def __init__(self, phase: Phase, training: GRPOConfig, started: float, serve: bool) -> None:
        """`started`: wall-clock time of the launch; `serve`: whether this is the rank that serves metrics."""
        self._phase = phase
        self._total = training.steps
        self._rollouts = training.prompts_per_step * training.group_size
        self._started = started
        self._events = EventLog(phase.events_path)
        self._gauges = Gauges(phase, serve)
        self._step_began = 0.0
        self._before: dict[str, float] = {}
        self._tokens_seen = 0.0
        self.startup = 0.0
        self.rows: list[dict[str, Any]] = []
        self.resumed_steps = 0
        self.trainer: SelfPlayTrainer

    def keep_rows(self, steps: int) -> None:
        """Go on after `steps` steps of an earlier attempt: keep its rows of those, drop what it wrote of later ones."""
        self.resumed_steps = steps
        rows = read_lines(self._phase.metrics_path)
        own = (self._phase.role, self._phase.iteration)
        self.rows = [row for row in rows if (row["phase"], row["iteration"]) == own and row["step"] <= steps]
        others = [row for row in rows if (row["phase"], row["iteration"]) != own]
        with written_aside(self._phase.metrics_path) as aside:
            aside.write_text("".join(f"{json.dumps(row)}\n" for row in [*others, *self.rows]), encoding="utf-8")

    def on_train_begin(self, *_args: Any, **_kwargs: Any) -> None:
        """Say where the phase goes on, and how long it took to come here."""
        self.startup = time.time() - self._started
        self._step_began = time.perf_counter()
        self._before = dict(self.trainer.seconds)
        self._tokens_seen = float(self.trainer.state.num_input_tokens_seen)
        self._progress()

    def on_log(self, *_args: Any, logs: dict[str, Any] | None = None, **_kwargs: Any) -> None:
        """Write the row of the step that has just ended. TRL logs once a step, and once more at the end."""
        if logs is None or "loss" not in logs:
            return
        row = self._row(logs)
        self.rows.append(row)
        append_line(self._phase.metrics_path, row)
        self._gauges.show(row)
        self._progress()

    def _row(self, logs: dict[str, Any]) -> dict[str, Any]:
        now = time.perf_counter()
        wall = now - self._step_began
        self._step_began = now
        seconds = {part: value - self._before[part] for part, value in self.trainer.seconds.items()}
        self._before = dict(self.trainer.seconds)
        seconds["update"] = wall - sum(seconds.values())
        tokens = float(logs["num_tokens"]) - self._tokens_seen
        self._tokens_seen = float(logs["num_tokens"])
        figures = {ours: logs[theirs] for theirs, ours in RECORDED.items() if logs.get(theirs) is not None}
        for name, value in figures.items():
            if not abs(value) < float("inf"):
                raise TrainingError(f"{name} of step {self.trainer.generation_step} is no finite number: {value}")
        return {
            "phase": str(self._phase.role),
            "iteration": self._phase.iteration,
            "step": self.trainer.generation_step,
            **{name.removeprefix(TERM): value for name, value in logs.items() if name.startswith(TERM)},
            **figures,
            "rollouts": self._rollouts,
            "tokens_per_second": tokens / wall,
            "peak_memory_bytes": peak_memory(),
            "seconds": {part: round(value, 4) for part, value in seconds.items()} | {"step": round(wall, 4)},
            "time": time.time(),
        }

    def _progress(self) -> None:
        phase = self._phase
        reward = self.rows[-1].get("reward") if self.rows else None
        said = "" if reward is None else f"reward {reward:.3f}"
        self._events.write(Event(phase.step, phase.iteration, "progress", self.trainer.generation_step, self._total, said))

    def totals(self) -> dict[str, float]:
        """Seconds of each part, over all steps that count."""
        parts = ("rollout", "reward", "update", "save")
        return {part: round(sum(row["seconds"][part] for row in self.rows), 4) for part in parts}


def peak_memory() -> int:
    """Bytes that this process has held at most: of GPU memory where it uses one, else resident."""
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    for line in Path(f"/proc/{os.getpid()}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
