"""Component: measure the base model on held-out questions."""

from kfp import dsl


def evaluate_base(run: str, solver: str, metrics: dsl.Output[dsl.Metrics]) -> str:
    """Evaluate the base model. `solver` is the version that is served. Returns the digest of the figures."""
    from rdiverse_pipelines.context import RunContext
    from rdiverse_pipelines.steps import in_step
    from rdiverse_pipelines.steps.artifacts import describe_evaluation
    from rdiverse_pipelines.steps.evaluate import evaluate as body

    with in_step():
        context = RunContext.open(run)
        record = body(context, 0)
        describe_evaluation(context, record, metrics)
        return record.digest
