"""Which fields of a configuration each command reads: an override of another would silently change nothing."""

from collections.abc import Mapping, Sequence
from typing import Final

from rdiverse.config.load import ConfigError
from rdiverse.config.run import RunConfig

EVERYTHING: Final = frozenset(RunConfig.model_fields)
READ_BY: Final[Mapping[str, frozenset[str]]] = {
    "serve challenger": frozenset({"model", "prompts", "challenger", "inference"}),
    "serve solver": frozenset({"model", "prompts", "solver", "inference"}),
    "serve coder": frozenset({"coder", "inference"}),
    "serve encoder": frozenset({"encoder", "inference"}),
    "serve diversity": frozenset({"prompts", "coder", "encoder", "workspace"}),
    "train challenger": frozenset({"method", "seed", "model", "prompts", "challenger", "penalty", "inference", "local"}),
    "train solver": frozenset({"seed", "model", "prompts", "solver", "inference", "local"}),
    "nano controlled": frozenset({"model", "prompts", "solver", "inference", "local"}),
    "run": EVERYTHING,
    # Each run of a comparison has its own of these.
    "compare": EVERYTHING - {"method", "seed", "run_id", "workspace"},
    # A run on a cluster lives on the release's volume, and its servers are the cluster's.
    "pipeline submit": EVERYTHING - {"workspace", "local"},
}
"""Command -> top-level fields. Whatever stands in a file is nobody's mistake: all commands read the same files."""


def check_overrides(command: str, overrides: Sequence[str]) -> None:
    """Raise ConfigError, a line each, for overrides of fields that the command does not read.

    What is no field at all is left to validation.
    """
    read = READ_BY[command]
    lines = []
    for override in overrides:
        field = override.partition("=")[0].partition(".")[0]
        if field in EVERYTHING - read:
            lines.append(
                f"override {override!r}: `rdiverse {command}` does not read {field}; it reads {', '.join(sorted(read))}"
            )
    if lines:
        raise ConfigError("\n".join(lines))
