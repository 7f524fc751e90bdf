"""How many iterations a run's pipeline has."""

from rdiverse.config import RunConfig
from rdiverse.selfplay.methods import Method


def pipeline_iterations(config: RunConfig) -> int:
    """The configured number; none for the method that trains nothing, which is only evaluated."""
    return 0 if config.method is Method.BASE else config.iterations
