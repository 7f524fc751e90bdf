"""Component: serve a role's weights."""


def roll_out(run: str, iteration: int, role: str, weights: str) -> str:
    """Make the service of `role` serve its weights after an iteration. `weights` is what training gave. Returns the version."""
    from rdiverse_pipelines.context import RunContext
    from rdiverse_pipelines.steps import in_step
    from rdiverse_pipelines.steps.roll_out import roll_out as body

    with in_step():
        return body(RunContext.open(run), "challenger" if role == "challenger" else "solver", iteration)
