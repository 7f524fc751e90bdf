"""One GRPO phase: the Challenger against the frozen Solver, or the Solver on the curated questions."""

from typing import Any

from rdiverse.runs.manifest import Outcome, StepRecord, do_step
from rdiverse.selfplay.roles import Role
from rdiverse.selfplay.steps import TRAINING, Step
from rdiverse.training.launch import Phase, PhaseResult, read_result
from rdiverse_pipelines.context import RunContext
from rdiverse_pipelines.steps.label import finished


def train(run: RunContext, role: Role, t: int) -> StepRecord:
    """Train `role` from its weights after iteration t - 1; the phase publishes its weights itself.

    A role that the method does not train keeps the base weights.
    """
    step = TRAINING[role]
    start = run.policy(role, t - 1)
    solver = run.policy(Role.SOLVER, t - 1)
    inputs = {"weights": start.version}
    if role is Role.CHALLENGER:
        inputs["solver"] = solver.version
    else:
        inputs["dataset"] = finished(run, Step.CURATE, t).digest

    def body() -> Outcome:
        if not run.trains(role):
            return Outcome(results={"weights": start.version, "trained": False})
        # The Challenger is rewarded by the frozen Solver; the Solver needs no server.
        run.target.ensure_serving(step, t, {Role.SOLVER: solver} if role is Role.CHALLENGER else {})
        phase = Phase(
            role=role,
            iteration=t,
            config_path=run.folder.config,
            model=start.path,
            output=run.folder.weights(t, role),
            resume_dir=run.folder.resume(t, role),
            log_path=run.folder.logs / f"{step}-{t:02d}.log",
            metrics_path=run.folder.metrics,
            events_path=run.folder.events,
            seed=run.seed(step, t),
            run=run.folder.run_id,
            solver_weights=solver.version,
            dataset=run.folder.iteration(t) / "dataset.parquet" if role is Role.SOLVER else None,
            metrics_address=run.target.metrics_address,
        )
        run.target.launcher().run(phase)
        result = read_result(phase.result_path)
        return Outcome(results={"weights": result.version, "trained": True, **_figures(result)})

    return do_step(run.folder, step, t, inputs, body)


def _figures(result: PhaseResult) -> dict[str, Any]:
    """What the summary needs of a phase; each term is the mean over the phase's steps."""
    terms = {name for step in result.reward_terms for name in step}
    means = {name: sum(step[name] for step in result.reward_terms) / len(result.reward_terms) for name in sorted(terms)}
    return {"steps": result.steps, "seconds": result.seconds, "reward_terms": means, "malformed": result.malformed}
