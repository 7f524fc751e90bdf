"""The frozen Solver votes on the pool."""

from typing import Any

from rdiverse.grading.pool import GradingPool
from rdiverse.inference.client import SolverClient
from rdiverse.runs.manifest import Outcome, StepError, StepRecord, check_outputs, do_step, read_record
from rdiverse.runs.tables import LABELS, read_table, write_table
from rdiverse_pipelines.context import RunContext, address
from rdiverse_pipelines.steps.progress import Progress

STEP = "label"


def label(run: RunContext, t: int) -> StepRecord:
    """Write iteration-NN/labels.parquet: majority answer and share of every well-formed question of the pool."""
    pool = finished(run, "propose", t)
    policy = run.policy("solver", t - 1)
    seed = run.seed(STEP, t)
    config = run.config.solver
    path = run.folder.iteration(t) / "labels.parquet"

    def body() -> Outcome:
        rows = [row for row in read_table(run.folder.iteration(t) / "questions.parquet") if row["question"] is not None]
        progress = Progress(run.folder, STEP, t, len(rows))
        with SolverClient(address("solver")) as client:
            solved = client.solve(
                [row["question"] for row in rows],
                samples=config.samples,
                seed=seed,
                sampling=config.sampling,
                expected_weights=policy.version,
                drop_unboxed=config.drop_unboxed,
                on_result=progress.advance,
            )
        with GradingPool() as grader:
            labels = [
                {
                    "index": row["index"],
                    "question": row["question"],
                    "answer": vote.answer,
                    "share": vote.share,
                    "votes": vote.votes,
                    "boxed": vote.boxed,
                    "grader_timeouts": vote.grader_timeouts,
                    **_truth(run, grader, row["question"], vote.answer),
                }
                for row, vote in zip(rows, solved, strict=True)
            ]
        write_table(path, LABELS, labels)
        return Outcome((path,), {"labelled": len(labels), "seed": seed})

    return do_step(run.folder, STEP, t, {"questions": pool.digest, "weights": policy.version}, body)


def finished(run: RunContext, step: str, t: int) -> StepRecord:
    """The record of a step that must have finished, its files checked. Raises StepError."""
    record = read_record(run.folder, step, t)
    if record is None:
        raise StepError(f"step {step} of iteration {t} has not finished")
    check_outputs(run.folder, record)
    return record


def _truth(run: RunContext, grader: GradingPool, question: str, answer: str) -> dict[str, Any]:
    if run.oracle is None:
        return {"truth": None, "truth_agrees": None, "skill": None, "well_posed": None}
    truth = run.oracle.truth(question)
    return {
        "truth": truth,
        "truth_agrees": None if truth is None else bool(answer) and grader.equal(answer, truth),
        "skill": run.oracle.skill(question),
        "well_posed": run.oracle.well_posed(question),
    }
