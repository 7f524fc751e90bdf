"""Starts one training phase and waits for it: under torchrun on this machine, or as a PyTorchJob. Imports no torch."""

from rdiverse.training.launch.failure import TrainingFailed
from rdiverse.training.launch.launcher import Launcher, launcher_from_environment
from rdiverse.training.launch.phase import Phase
from rdiverse.training.launch.result import PhaseResult, finished, read_result

__all__ = [
    "Launcher",
    "Phase",
    "PhaseResult",
    "TrainingFailed",
    "finished",
    "launcher_from_environment",
    "read_result",
]
