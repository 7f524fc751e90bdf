"""Measures the Solver on held-out questions."""

import shutil

from rdiverse.evaluation import evaluate as measure
from rdiverse.evaluation import load_benchmark
from rdiverse.grading.pool import GradingPool
from rdiverse.inference.client import SolverClient
from rdiverse.runs.files import write_json
from rdiverse.runs.manifest import Outcome, StepRecord, do_step
from rdiverse.selfplay.roles import Role
from rdiverse.selfplay.steps import Step
from rdiverse_pipelines.context import RunContext
from rdiverse_pipelines.steps.progress import StepProgress


def evaluate(run: RunContext, t: int) -> StepRecord:
    """Write iteration-NN/evaluation.json for the Solver after iteration t (0: the base model)."""
    policy = run.policy(Role.SOLVER, t)
    config = run.config.evaluation
    # The same noise at every iteration: differences between iterations are the weights' alone.
    seed = run.seed(Step.EVALUATE)
    path = run.folder.iteration(t) / "evaluation.json"

    def body() -> Outcome:
        benchmarks = [load_benchmark(benchmark) for benchmark in config.benchmarks]
        if not benchmarks:
            write_json(path, {"accuracy_sampled": None, "accuracy_greedy": None, "worst_skill": None})
            return Outcome((path,))
        run.target.ensure_serving(Step.EVALUATE, t, {Role.SOLVER: policy})
        with SolverClient(run.target.address(Role.SOLVER)) as client, GradingPool() as grader:
            evaluation = measure(
                benchmarks,
                client,
                config,
                seed=seed,
                expected_weights=policy.version,
                grader=grader,
                progress=StepProgress(run.folder, Step.EVALUATE, t).reach,
            )
        write_json(path, evaluation.to_json())
        return Outcome((path,), {"seed": seed})

    record = do_step(run.folder, Step.EVALUATE, t, {"weights": policy.version}, body)
    drop_old_weights(run, t)
    return record


def drop_old_weights(run: RunContext, t: int) -> None:
    """Delete the trained weights of iterations that are `keep_iterations` or more behind t."""
    for old in range(1, t - run.config.keep_iterations + 1):
        folder = run.folder.weights(old, Role.SOLVER).parent
        if folder.is_dir():
            shutil.rmtree(folder)
