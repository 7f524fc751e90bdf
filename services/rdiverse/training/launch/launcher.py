"""How a phase is launched, behind one interface."""

import os
from typing import Protocol

from rdiverse.training.launch.phase import Phase
from rdiverse.training.launch.result import PhaseResult

LAUNCHER_VARIABLE = "RDIVERSE_LAUNCHER"
"""torchrun (default) or pytorchjob."""


class Launcher(Protocol):
    """Runs training phases somewhere."""

    def run(self, phase: Phase) -> PhaseResult:
        """Run a phase to its end and give its result; at once when it is finished already. Raises TrainingFailed.

        The phase goes on from the last complete resume checkpoint in `phase.resume_dir`, if there is one.
        """


def launcher_from_environment() -> Launcher:
    """Make the launcher named in RDIVERSE_LAUNCHER. Raises ValueError for an unknown name."""
    name = os.environ.get(LAUNCHER_VARIABLE, "torchrun")
    if name == "torchrun":
        from rdiverse.training.launch.local import TorchrunLauncher

        return TorchrunLauncher()
    if name == "pytorchjob":
        from rdiverse.training.launch.kubernetes import PyTorchJobLauncher

        return PyTorchJobLauncher.from_environment()
    raise ValueError(f"{LAUNCHER_VARIABLE} = {name!r}: must be torchrun or pytorchjob")
