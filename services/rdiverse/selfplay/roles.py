"""What a model is to the method."""

from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What a server serves, and a trainer trains."""

    CHALLENGER = "challenger"
    """Writes questions."""
    SOLVER = "solver"
    """Answers them."""
    CODER = "coder"
    """Turns a question into a program (SAM)."""
    ENCODER = "encoder"
    """Turns a program into a vector (SAM)."""


POLICY_ROLES: Final = (Role.CHALLENGER, Role.SOLVER)
"""Those that are trained: every run has its own weights of them."""
SHARED_ROLES: Final = (Role.CODER, Role.ENCODER)
"""Those that never change: all runs of a release ask the same servers."""
