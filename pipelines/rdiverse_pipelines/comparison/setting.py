"""What all runs of a comparison share: everything but the method and the seed."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from rdiverse.config import RunConfig, differing_fields
from rdiverse.evaluation import load_benchmark
from rdiverse.lm.folders import model_folder
from rdiverse.lm.weights import validate

LEFT_OUT = frozenset({"method", "seed", "run_id", "workspace", "local", "keep_iterations", "model"})
"""Fields that may differ between the runs: those that are compared, and those that change nothing that is computed. The
base model is known by its weights, wherever it lies."""


@dataclass(frozen=True)
class Setting:
    """The configuration that runs share, and what the files that it names hold."""

    config: dict[str, Any]
    """A dumped RunConfig without the fields in LEFT_OUT, defaults included."""
    files: dict[str, str]
    """Field -> version of the weights, or digest of the benchmark, that it stood for; `model` is the base model."""

    @classmethod
    def of(cls, config: RunConfig, files: Mapping[str, str]) -> "Setting":
        """The setting of a run."""
        return cls(_shared(config), dict(files))

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> "Setting":
        """A setting from a summary. Fields that the configuration has gained since have their defaults.

        Raises ValueError for what is no longer a configuration.
        """
        try:
            config = RunConfig.model_validate({**stored["config"], "model": stored["files"]["model"]})
            return cls(_shared(config), dict(stored["files"]))
        except (KeyError, TypeError, ValidationError) as error:
            raise ValueError(f"its setting cannot be read: {error}") from error

    @property
    def digest(self) -> str:
        """One word for the setting: SHA-256, the first 16 hexadecimal places."""
        return hashlib.sha256(json.dumps([self.config, self.files], sort_keys=True).encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """As `read` reads it."""
        return {"digest": self.digest, "files": self.files, "config": self.config}

    def differences(self, other: "Setting") -> list[str]:
        """What differs, a line each: this setting is the one `before`, the other the one `now`."""
        named = differing_fields({"weights and data": self.files}, {"weights and data": other.files})
        return named + differing_fields(self.config, other.config)


def setting_of(config: RunConfig) -> Setting:
    """The setting of a run; looks at the models and benchmarks that its configuration names.

    Raises CheckpointError, BenchmarkError, OSError or ValueError for one that is not there.
    """
    files = {"model": validate(model_folder(config.model)), "coder.model": validate(model_folder(config.coder.model))}
    files |= {f"evaluation.benchmarks.{each.name}": load_benchmark(each).digest[:16] for each in config.evaluation.benchmarks}
    return Setting.of(config, files)


def _shared(config: RunConfig) -> dict[str, Any]:
    return {name: value for name, value in config.model_dump(mode="json").items() if name not in LEFT_OUT}
