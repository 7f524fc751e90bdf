"""Component: the end of every run, the failed ones included."""

from kfp import dsl


def finish(config: str, status: dsl.PipelineTaskFinalStatus) -> None:
    """Stop the run's servers and training jobs and write its final status."""
    from rdiverse_pipelines.steps import in_step
    from rdiverse_pipelines.steps.finish import finish as body

    with in_step():
        print(body(config, status.state, status.error_message or ""))  # noqa: T201 - a step's log
