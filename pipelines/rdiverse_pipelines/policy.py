"""The two policies of a run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Role = Literal["challenger", "solver"]


@dataclass(frozen=True)
class Policy:
    """One state of a policy's weights."""

    path: Path
    version: str
