"""Does the runs of a comparison, some at a time, each one once."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rdiverse.config import ConfigError, RunConfig, dump_config
from rdiverse.runs.children import stop
from rdiverse.runs.lifeline import held_lifeline
from rdiverse.runs.lock import locked
from rdiverse.selfplay.methods import Method
from rdiverse_pipelines.comparison.compared import Comparison
from rdiverse_pipelines.comparison.setting import Setting, setting_of
from rdiverse_pipelines.comparison.summaries import SummaryError, read_summary, summary_name
from rdiverse_pipelines.comparison.worker import LIFELINE
from rdiverse_pipelines.comparison.write import SUMMARIES, write_comparison
from rdiverse_pipelines.local.preflight import check

LOOK_SECONDS = 0.2
STOP_SECONDS = 30


@dataclass(frozen=True)
class ComparisonPlan:
    """What is to be compared."""

    config: RunConfig
    """What all runs share; its method, seed, run id and workspace are replaced."""
    methods: Sequence[Method]
    seeds: Sequence[int]
    reference: Method
    folder: Path
    """Runs go to `runs`, what the processes print to `logs`, a small file a run to `summaries`."""
    jobs: int = 1
    """Runs side by side."""

    def run(self, method: Method, seed: int) -> RunConfig:
        """The configuration of one run."""
        own = {"method": method, "seed": seed, "run_id": None, "workspace": self.folder.resolve()}
        return self.config.model_copy(update=own)

    def summary(self, method: Method, seed: int) -> Path:
        """Where one run's summary stands."""
        return self.folder / SUMMARIES / summary_name(method, seed)


@dataclass(frozen=True)
class _Job:
    name: str
    process: "subprocess.Popen[bytes]"
    log: Path
    log_began: int


def compare(plan: ComparisonPlan, tell: Callable[[str], None]) -> Comparison:
    """Do every run that has no summary, then compare all runs of the folder. `tell` hears of each run.

    A run that fails is left out and named in `missing`. Raises ConfigError before anything starts, also for a summary of
    another setting; RunBusyError when another command works in the folder; NothingToCompareError when no run has finished.
    """
    if plan.reference not in plan.methods and not list((plan.folder / SUMMARIES).glob(f"{plan.reference}-seed*.json")):
        raise ConfigError(f"the reference {plan.reference} is not among the methods or the summaries")
    # By seed before method: whenever the command is stopped, most seeds have every method.
    wanted = [(method, seed) for seed in plan.seeds for method in plan.methods]
    try:
        setting = setting_of(plan.config)
    except (ValueError, OSError) as error:
        raise ConfigError(str(error)) from error
    with locked(plan.folder / "lock"):
        _check_summaries(plan, setting)
        remaining = [(method, seed) for method, seed in wanted if not plan.summary(method, seed).is_file()]
        if len(remaining) < len(wanted):
            tell(f"{len(wanted) - len(remaining)} of {len(wanted)} runs have a summary already")
        if remaining:
            check(plan.run(*remaining[0]))
        missing = _do(plan, remaining, tell)
        return write_comparison(plan.folder, setting, plan.reference, missing)


def _check_summaries(plan: ComparisonPlan, setting: Setting) -> None:
    for path in sorted((plan.folder / SUMMARIES).glob("*.json")):
        try:
            differing = read_summary(path).setting.differences(setting)
        except SummaryError as error:
            raise ConfigError(str(error)) from error
        if differing:
            lines = "\n".join(f"  {line}" for line in differing)
            raise ConfigError(
                f"{path} is of a run with another configuration or base model:\n{lines}\nChoose another folder, or the old one."
            )


def _do(plan: ComparisonPlan, remaining: Sequence[tuple[Method, int]], tell: Callable[[str], None]) -> list[str]:
    """Do the runs that are left, `plan.jobs` at a time. Returns what failed, with reasons."""
    waiting, running, failed = list(remaining), list[_Job](), list[str]()
    with ExitStack() as stack:
        lifeline = stack.enter_context(held_lifeline(plan.folder / "lifeline", LIFELINE))
        # Each goes on where it stopped when it is asked for again.
        stack.callback(lambda: stop([job.process for job in running], STOP_SECONDS))
        while waiting or running:
            while waiting and len(running) < plan.jobs:
                running.append(_start(plan, *waiting.pop(0), lifeline))
                tell(f"{running[-1].name} begins ({len(waiting)} wait); {running[-1].log} tells how it goes")
            time.sleep(LOOK_SECONDS)
            for job in [job for job in running if job.process.poll() is not None]:
                running.remove(job)
                if job.process.returncode == 0:
                    tell(f"{job.name} has finished")
                else:
                    failed.append(f"{job.name}: {_last_words(job)}")
                    tell(f"{failed[-1]}\n{job.log} says more")
    return failed


def _start(plan: ComparisonPlan, method: Method, seed: int, lifeline: Mapping[str, str]) -> _Job:
    name = f"{method}-seed{seed}"
    log = plan.folder / "logs" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "rdiverse_pipelines.comparison.worker", str(plan.summary(method, seed))]
    with log.open("ab") as output:
        began = output.tell()
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command, stdin=subprocess.PIPE, stdout=output, stderr=output, env={**os.environ, **lifeline}
        )
    assert process.stdin is not None  # noqa: S101
    with process.stdin as pipe:
        pipe.write(dump_config(plan.run(method, seed)).encode())
    return _Job(name, process, log, began)


def _last_words(job: _Job) -> str:
    """The error that a run ended with, its first line."""
    with job.log.open("rb") as file:
        file.seek(job.log_began)
        lines = file.read().decode(errors="replace").splitlines()
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return errors[-1] if errors else f"ended with status {job.process.returncode}"
