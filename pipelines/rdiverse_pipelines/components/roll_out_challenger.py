"""Component: serve the Challenger's weights."""


def roll_out_challenger(run: str, iteration: int, weights: str) -> str:
    """Make the Challenger's service serve its weights after an iteration. `weights` come from training. Returns the version."""
    from rdiverse.selfplay.roles import Role
    from rdiverse_pipelines.context import RunContext
    from rdiverse_pipelines.steps import in_step
    from rdiverse_pipelines.steps.roll_out import roll_out

    with in_step():
        return roll_out(RunContext.open(run), Role.CHALLENGER, iteration)
