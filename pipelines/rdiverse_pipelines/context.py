"""What every step of a run needs to know: the folder, the configuration, which weights are whose, who answers where."""

import importlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import cast

from rdiverse import logs
from rdiverse.config import RunConfig, load_config
from rdiverse.lm import weights
from rdiverse.runs.files import write_json
from rdiverse.runs.folder import RunFolder
from rdiverse.runs.manifest import StepError
from rdiverse.selfplay.methods import TRAITS, Traits
from rdiverse.selfplay.oracle import Oracle
from rdiverse.selfplay.roles import Role
from rdiverse.selfplay.seeds import derive_seed
from rdiverse_pipelines.policy import Policy
from rdiverse_pipelines.target import DeploymentTarget, cluster_file, deployment_target


@dataclass(frozen=True)
class RunContext:
    """A run that has been prepared."""

    folder: RunFolder
    config: RunConfig

    @classmethod
    def open(cls, root: str) -> "RunContext":
        """Read a prepared run's folder. Raises StepError on a cluster when another pipeline run has taken it over."""
        folder = RunFolder(Path(root))
        logs.name_run(folder.run_id)
        if cluster_file():
            from rdiverse_pipelines.cluster.owner import check

            check(folder)
        return cls(folder, load_config(folder.config))

    @property
    def traits(self) -> Traits:
        """What the run's method does."""
        return TRAITS[self.config.method]

    def trains(self, role: Role) -> bool:
        """Whether the run's method trains a role."""
        return self.traits.trains_challenger if role is Role.CHALLENGER else self.traits.trains_solver

    @cached_property
    def target(self) -> DeploymentTarget:
        """Where the run's servers and trainers are."""
        return deployment_target(self.folder)

    @cached_property
    def oracle(self) -> Oracle | None:
        """Who knows the truth, where anyone does."""
        return load_oracle(self.config.oracle)

    def seed(self, *names: str | int) -> int:
        """The seed of a step's noise."""
        return derive_seed(self.config.seed, *names)

    def record_base(self, path: Path) -> None:
        """Put the base model's place and version on record."""
        write_json(self.folder.root / "base.json", {"path": str(path), "version": weights.validate(path)})

    def policy(self, role: Role, iteration: int) -> Policy:
        """The weights that `role` has at the end of an iteration (0, or untrained by the method: the base model).

        Raises StepError when they should be there and are not.
        """
        if iteration == 0 or not self.trains(role):
            base = json.loads((self.folder.root / "base.json").read_text(encoding="utf-8"))
            return Policy(Path(base["path"]), base["version"])
        path = self.folder.weights(iteration, role)
        if not (path / weights.MANIFEST).is_file():
            raise StepError(f"{path}: the weights of the {role} after iteration {iteration} are missing")
        return Policy(path, weights.weights_version(path))


def load_oracle(name: str | None) -> Oracle | None:
    """Import the oracle that a configuration names. Raises StepError when it cannot be had."""
    if name is None:
        return None
    module, _, attribute = name.partition(":")
    try:
        return cast(Oracle, getattr(importlib.import_module(module), attribute))
    except (ImportError, AttributeError) as error:
        raise StepError(f"oracle = {name!r}: {error}") from error
