"""Component: train the Challenger against the frozen Solver."""

from kfp import dsl


def train_challenger(run: str, iteration: int, solver: str, weights: dsl.Output[dsl.Model]) -> str:
    """Train and publish the Challenger of an iteration. `solver` is the version that is served. Returns the new version."""
    from rdiverse.selfplay.roles import Role
    from rdiverse_pipelines.context import RunContext
    from rdiverse_pipelines.steps import in_step
    from rdiverse_pipelines.steps.artifacts import describe_weights
    from rdiverse_pipelines.steps.train import train

    with in_step():
        context = RunContext.open(run)
        record = train(context, Role.CHALLENGER, iteration)
        describe_weights(context, record, weights)
        return record.digest
