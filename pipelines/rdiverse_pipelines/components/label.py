"""Component: the Solver votes on the pool."""

from kfp import dsl


def label(run: str, iteration: int, questions: str, labels: dsl.Output[dsl.Dataset]) -> str:
    """Label the pool. `questions` is the digest of the table of questions. Returns the digest of the table of labels."""
    from rdiverse_pipelines.context import RunContext
    from rdiverse_pipelines.steps import in_step
    from rdiverse_pipelines.steps.artifacts import describe_table
    from rdiverse_pipelines.steps.label import label as body

    with in_step():
        context = RunContext.open(run)
        record = body(context, iteration)
        describe_table(context, record, labels)
        return record.digest
