"""The weights of a policy."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Policy:
    """One state of a policy's weights."""

    path: Path
    version: str
