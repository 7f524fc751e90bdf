"""The frozen Solver votes on the pool."""

from typing import Any

from rdiverse.grading.pool import GradingPool
from rdiverse.inference.client import SolverClient
from rdiverse.runs.manifest import Outcome, StepError, StepRecord, check_outputs, do_step, read_record
from rdiverse.runs.tables import LABELS, read_table, write_table
from rdiverse.selfplay.roles import Role
from rdiverse.selfplay.steps import Step
from rdiverse_pipelines.context import RunContext
from rdiverse_pipelines.steps.progress import StepProgress


def label(run: RunContext, t: int) -> StepRecord:
    """Write iteration-NN/labels.parquet: majority answer and share of every well-formed question of the pool."""
    pool = finished(run, Step.PROPOSE, t)
    policy = run.policy(Role.SOLVER, t - 1)
    seed = run.seed(Step.LABEL, t)
    config = run.config.solver
    path = run.folder.iteration(t) / "labels.parquet"

    def body() -> Outcome:
        rows = [row for row in read_table(run.folder.iteration(t) / "questions.parquet") if row["question"] is not None]
        progress = StepProgress(run.folder, Step.LABEL, t, len(rows))
        run.target.ensure_serving(Step.LABEL, t, {Role.SOLVER: policy})
        with SolverClient(run.target.address(Role.SOLVER)) as client:
            solved, shares = {}, 0.0
            for vote in client.iter_solve(
                [row["question"] for row in rows],
                config.samples,
                seed=seed,
                sampling=config.sampling,
                expected_weights=policy.version,
                drop_unboxed=config.drop_unboxed,
            ):
                solved[vote.index] = vote
                shares += vote.share
                progress.advance(f"mean s {shares / len(solved):.2f}")
        if len(solved) < len(rows):
            raise StepError(f"the Solver's service answered {len(solved)} of {len(rows)} questions: the rest are missing")
        with GradingPool() as grader:
            labels = [
                {
                    "index": row["index"],
                    "question": row["question"],
                    "answer": vote.answer or "",
                    **{name: getattr(vote, name) for name in ("share", "votes", "boxed", "grader_timeouts")},
                    **_truth(run, grader, row["question"], vote.answer),
                }
                for index, row in enumerate(rows)
                for vote in (solved[index],)
            ]
        write_table(path, LABELS, labels)
        return Outcome((path,), {"labelled": len(labels), "seed": seed})

    return do_step(run.folder, Step.LABEL, t, {"questions": pool.digest, "weights": policy.version}, body)


def finished(run: RunContext, step: Step, t: int) -> StepRecord:
    """The record of a step that must have finished, its files checked. Raises StepError."""
    record = read_record(run.folder, step, t)
    if record is None:
        raise StepError(f"step {step} of iteration {t} has not finished")
    check_outputs(run.folder, record)
    return record


def _truth(run: RunContext, grader: GradingPool, question: str, answer: str | None) -> dict[str, Any]:
    if run.oracle is None:
        return {"truth": None, "truth_agrees": None, "skill": None, "well_posed": None}
    truth = run.oracle.truth(question)
    return {
        "truth": truth,
        "truth_agrees": None if truth is None else answer is not None and grader.equal(answer, truth),
        "skill": run.oracle.skill(question),
        "well_posed": run.oracle.well_posed(question),
    }
