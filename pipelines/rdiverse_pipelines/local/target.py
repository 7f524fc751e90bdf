"""One machine as the deployment target: servers that the command has started, trainers under torchrun."""

import os
from collections.abc import Mapping

from rdiverse.inference.client import ModelControlClient
from rdiverse.runs.manifest import StepError
from rdiverse.selfplay.roles import Role
from rdiverse.selfplay.steps import Step
from rdiverse.training.launch import Launcher, launcher_from_environment
from rdiverse_pipelines.policy import Policy


class LocalTarget:
    """Finds the servers by RDIVERSE_<SERVICE>_ADDRESS; all are up all the time."""

    metrics_address = ""

    def address(self, service: str) -> str:
        """Where a service answers (see DeploymentTarget)."""
        variable = f"RDIVERSE_{service.upper()}_ADDRESS"
        value = os.environ.get(variable)
        if not value:
            raise StepError(f"{variable} is not set: the step does not know where the {service} service answers")
        return value

    def launcher(self) -> Launcher:
        """Make the launcher that the environment names, torchrun by default."""
        return launcher_from_environment()

    def ensure_serving(self, phase: Step, t: int, policies: Mapping[Role, Policy]) -> None:  # noqa: ARG002 - all is up always
        """Have each server load its weights, where it serves others (see DeploymentTarget)."""
        for role, policy in policies.items():
            with ModelControlClient(self.address(role)) as client:
                if client.get_model().weights == policy.version:
                    continue
                served = client.load_weights(str(policy.path), policy.version)
            if served != policy.version:
                raise StepError(f"the {role} service serves {served} instead of {policy.version} from {policy.path}")

    def finish(self) -> list[str]:
        """Nothing: the command stops its own children."""
        return []
