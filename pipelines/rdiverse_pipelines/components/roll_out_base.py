"""Component: serve the base model as the Solver."""


def roll_out_base(run: str) -> str:
    """Make the Solver's service serve the base model. Returns the version."""
    from rdiverse.selfplay.roles import Role
    from rdiverse_pipelines.context import RunContext
    from rdiverse_pipelines.steps import in_step
    from rdiverse_pipelines.steps.roll_out import roll_out

    with in_step():
        return roll_out(RunContext.open(run), Role.SOLVER, 0)
