"""The Challenger writes the pool."""

from rdiverse.inference.client import ChallengerClient
from rdiverse.runs.manifest import Outcome, StepError, StepRecord, do_step
from rdiverse.runs.tables import QUESTIONS, write_table
from rdiverse.selfplay.roles import Role
from rdiverse.selfplay.steps import Step
from rdiverse_pipelines.context import RunContext
from rdiverse_pipelines.steps.progress import StepProgress


def propose(run: RunContext, t: int) -> StepRecord:
    """Write iteration-NN/questions.parquet: every completion, in order, malformed ones with a null question."""
    policy = run.policy(Role.CHALLENGER, t)
    seed = run.seed(Step.PROPOSE, t)
    config = run.config.challenger
    path = run.folder.iteration(t) / "questions.parquet"

    def body() -> Outcome:
        progress = StepProgress(run.folder, Step.PROPOSE, t, config.pool)
        rows = {}
        run.target.ensure_serving(Step.PROPOSE, t, {Role.CHALLENGER: policy})
        with ChallengerClient(run.target.address(Role.CHALLENGER)) as client:
            for proposed in client.propose(config.pool, seed=seed, sampling=config.sampling, expected_weights=policy.version):
                rows[proposed.index] = vars(proposed)
                progress.advance()
        missing = config.pool - len(rows)
        if missing:
            raise StepError(f"the Challenger's service wrote {len(rows)} of {config.pool} questions: {missing} are missing")
        write_table(path, QUESTIONS, (rows[index] for index in sorted(rows)))
        malformed = sum(row["question"] is None for row in rows.values())
        return Outcome((path,), {"proposed": len(rows), "malformed": malformed, "seed": seed})

    return do_step(run.folder, Step.PROPOSE, t, {"weights": policy.version}, body)
