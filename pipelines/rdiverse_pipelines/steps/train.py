"""One GRPO phase: the Challenger against the frozen Solver, or the Solver on the curated questions."""

from rdiverse.runs.folder import RunFolder
from rdiverse.runs.manifest import Outcome, StepRecord, do_step
from rdiverse.training.client import Phase, launcher_from_environment
from rdiverse_pipelines.context import Role, RunContext
from rdiverse_pipelines.steps.label import finished


def train(run: RunContext, role: Role, t: int) -> StepRecord:
    """Train `role` from its weights after iteration t - 1; the phase publishes its weights itself.

    A role that the method does not train keeps the base weights.
    """
    step = f"train-{role}"
    start = run.policy(role, t - 1)
    solver = run.policy("solver", t - 1)
    inputs = {"weights": start.version}
    if role == "challenger":
        inputs["solver"] = solver.version
        trained = run.traits.trains_challenger
    else:
        inputs["dataset"] = finished(run, "curate", t).digest
        trained = run.traits.trains_solver

    def body() -> Outcome:
        if not trained:
            return Outcome(results={"weights": start.version, "trained": False})
        phase = Phase(
            role=role,
            iteration=t,
            config=run.folder.config,
            model=start.path,
            output=run.folder.weights(t, role),
            resume=run.folder.resume(t, role),
            log=run.folder.logs / f"{step}-{t:02d}.log",
            metrics=run.folder.metrics,
            events=run.folder.events,
            seed=run.seed(step, t),
            run_id=run.folder.run_id,
            solver_weights=solver.version,
            dataset=_dataset(run.folder, t) if role == "solver" else None,
        )
        result = launcher_from_environment().run(phase)
        return Outcome(results={"weights": result.version, "trained": True, **result.figures})

    return do_step(run.folder, step, t, inputs, body)


def _dataset(folder: RunFolder, t: int) -> str:
    return str(folder.iteration(t) / "dataset.parquet")
