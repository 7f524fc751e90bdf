"""Component: put the run's figures onto one page."""

from kfp import dsl


def report(run: str, evaluation: str, page: dsl.Output[dsl.HTML]) -> None:
    """Write summary.json and report.html. `evaluation` orders it after the last evaluation."""
    import shutil

    from rdiverse_pipelines.context import RunContext
    from rdiverse_pipelines.steps import in_step
    from rdiverse_pipelines.steps.report import report as body

    with in_step():
        context = RunContext.open(run)
        body(context)
        shutil.copyfile(context.folder.report, page.path)
