"""Component: the Challenger writes the pool."""

from kfp import dsl


def propose(run: str, iteration: int, challenger: str, questions: dsl.Output[dsl.Dataset]) -> str:
    """Write the pool of questions. `challenger` is the version that is served. Returns the digest of the table."""
    from rdiverse_pipelines.context import RunContext
    from rdiverse_pipelines.steps import in_step
    from rdiverse_pipelines.steps.artifacts import describe_table
    from rdiverse_pipelines.steps.propose import propose as body

    with in_step():
        context = RunContext.open(run)
        record = body(context, iteration)
        describe_table(context, record, questions)
        return record.digest
