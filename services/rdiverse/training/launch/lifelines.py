"""A trainer ends with the command that started the run and with the launcher that started it, whichever goes first."""

from rdiverse.runs.lifeline import watch_lifeline

OWN_LIFELINE = "RDIVERSE_TRAINING_LIFELINE"
"""The launcher's own pipe; the run's is named in the variable that `rdiverse.runs.lifeline` reads."""


def watch_lifelines() -> None:
    """Watch both pipes, where there are any. Called first thing by torchrun's agent and by every worker."""
    watch_lifeline()
    watch_lifeline(variable=OWN_LIFELINE)
