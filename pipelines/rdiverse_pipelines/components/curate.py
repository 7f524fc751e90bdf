"""Component: choose what the Solver trains on, and remember it."""

from kfp import dsl


def curate(run: str, iteration: int, labels: str, dataset: dsl.Output[dsl.Dataset], metrics: dsl.Output[dsl.Metrics]) -> str:
    """Curate and commit. `labels` is the digest of the table of labels. Returns the digest of the training set."""
    from rdiverse_pipelines.context import RunContext
    from rdiverse_pipelines.steps import in_step
    from rdiverse_pipelines.steps.artifacts import describe_curation, describe_table
    from rdiverse_pipelines.steps.curate import curate as body

    with in_step():
        context = RunContext.open(run)
        record = body(context, iteration)
        describe_table(context, record, dataset)
        describe_curation(record, metrics)
        return record.digest
