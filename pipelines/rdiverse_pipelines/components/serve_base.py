"""Component: serve the base model as the Solver."""


def serve_base(run: str) -> str:
    """Make the Solver's service serve the base model. Returns the version."""
    from rdiverse.selfplay.roles import Role
    from rdiverse_pipelines.context import RunContext
    from rdiverse_pipelines.steps import in_step
    from rdiverse_pipelines.steps.serve import serve_weights

    with in_step():
        return serve_weights(RunContext.open(run), Role.SOLVER, 0)
