"""Component: serve the Challenger's weights."""


def serve_challenger(run: str, iteration: int, weights: str) -> str:
    """Make the Challenger's service serve its weights after an iteration. `weights` come from training. Returns the version."""
    from rdiverse.selfplay.roles import Role
    from rdiverse_pipelines.context import RunContext
    from rdiverse_pipelines.steps import in_step
    from rdiverse_pipelines.steps.serve import serve_weights

    with in_step():
        return serve_weights(RunContext.open(run), Role.CHALLENGER, iteration)
