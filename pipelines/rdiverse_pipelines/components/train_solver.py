"""Component: train the Solver on the curated questions."""

from kfp import dsl


def train_solver(run: str, iteration: int, dataset: str, weights: dsl.Output[dsl.Model]) -> str:
    """Train and publish the Solver of an iteration. `dataset` is the digest of its questions. Returns the new version."""
    from rdiverse.selfplay.roles import Role
    from rdiverse_pipelines.context import RunContext
    from rdiverse_pipelines.steps import in_step
    from rdiverse_pipelines.steps.artifacts import describe_weights
    from rdiverse_pipelines.steps.train import train

    with in_step():
        context = RunContext.open(run)
        record = train(context, Role.SOLVER, iteration)
        describe_weights(context, record, weights)
        return record.digest
