"""`rdiverse evaluate`: measures whatever answers at an address."""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from rdiverse.config import BenchmarkConfig, EvaluationConfig
from rdiverse.config.load import did_you_mean
from rdiverse.evaluation.ask import ReportProgress
from rdiverse.evaluation.benchmarks import load_benchmark
from rdiverse.evaluation.evaluate import evaluate
from rdiverse.evaluation.figures import Evaluation
from rdiverse.evaluation.items import BenchmarkError
from rdiverse.evaluation.judge import Judge
from rdiverse.evaluation.known import HUB_SCHEME, KNOWN
from rdiverse.evaluation.rzero import RZeroScorer
from rdiverse.evaluation.scorers import Scorers
from rdiverse.grading.pool import GradingPool
from rdiverse.grading.workers import WorkerPool
from rdiverse.inference.client import LanguageModelClient, ModelControlClient, SolverClient

RZERO_SECONDS = 5.0
"""Of CPU for each of math-verify's comparisons, its own default for each of their two halves."""

_NONE = f"benchmark {{}}: is neither a file, nor name=<file>, nor one of {', '.join(KNOWN)}"


def named_benchmarks(names: Sequence[str]) -> tuple[BenchmarkConfig, ...]:
    """Test sets from a command line: a known name (from the hub), `name=<file or pkg:...>`, or a file named for its set.

    Raises BenchmarkError.
    """
    found = []
    for text in names:
        name, given, path = text.partition("=")
        if not given and text not in KNOWN:
            # A path may lead nowhere, and is then told so when it is read; a bare word is meant for a name.
            if text.isidentifier() and not Path(text).is_file():
                raise BenchmarkError(f"{_NONE.format(text)}{did_you_mean(text, KNOWN)}")
            name, path = Path(text).stem, text
        elif not given:
            path = HUB_SCHEME + text
        try:
            found.append(BenchmarkConfig(name=name, path=path))
        except ValueError as error:
            raise BenchmarkError(_NONE.format(text)) from error
    return tuple(found)


def evaluate_served(
    address: str,
    config: EvaluationConfig,
    folder: Path,
    *,
    seed: int | None = 0,
    rzero: bool = False,
    judge_address: str | None = None,
    progress: ReportProgress | None = None,
) -> Evaluation:
    """Evaluate the Solver at `address` into `folder`, which may hold part of the same evaluation from before.

    The weights that answer first are those that must answer to the end, also after a restart. `rzero` scores the responses
    as R-Zero's scripts do as well; `judge_address` is a language model's server whose opinion stands beside.

    Raises what `load_benchmark` and `evaluate` raise, and RpcFailure when a server does not answer.
    """
    benchmarks = [load_benchmark(benchmark) for benchmark in config.benchmarks]
    with ExitStack() as stack:
        solver = stack.enter_context(SolverClient(address))
        weights = stack.enter_context(ModelControlClient(address)).get_model().weights
        grader = stack.enter_context(GradingPool(workers=max(1, (os.cpu_count() or 1) // 2)))
        scorers = Scorers(
            RZeroScorer(stack.enter_context(WorkerPool(timeout=RZERO_SECONDS))) if rzero else None,
            Judge(stack.enter_context(LanguageModelClient(judge_address))) if judge_address else None,
        )
        return evaluate(
            benchmarks,
            solver,
            config,
            seed=seed,
            expected_weights=weights,
            grader=grader,
            folder=folder,
            scorers=scorers if rzero or judge_address else None,
            progress=progress,
        )
