"""Component: make the run's folder."""


def prepare(config: str, iterations: int) -> str:
    """Resolve the configuration (YAML) and make the run's folder, or check that it is the same run. Returns the folder.

    `iterations` is what the pipeline was compiled for.
    """
    from rdiverse_pipelines.steps import in_step
    from rdiverse_pipelines.steps.prepare import prepare_from_text

    with in_step():
        return prepare_from_text(config, iterations)
