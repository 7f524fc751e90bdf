"""A cluster as the deployment target: servers per phase by the release's plan, trainers as PyTorchJobs."""

from collections.abc import Mapping
from pathlib import Path

from rdiverse.config.cluster import Shares
from rdiverse.runs.folder import RunFolder
from rdiverse.runs.manifest import StepError
from rdiverse.selfplay.roles import POLICY_ROLES, Role
from rdiverse.selfplay.steps import REST, Step
from rdiverse.training.launch import Launcher
from rdiverse.training.launch.pytorchjob import FAILED, SUCCEEDED, condition
from rdiverse_pipelines.cluster.api import Api
from rdiverse_pipelines.cluster.objects import RunObjects, replicas, scaled, selector
from rdiverse_pipelines.cluster.replicas import ServerPods, wait_until_gone, wait_until_served
from rdiverse_pipelines.cluster.serving import forget_served, serve_policy, server_of
from rdiverse_pipelines.cluster.settings import ReleaseSettings
from rdiverse_pipelines.cluster.shared import claim_replicas, managed, shared_server
from rdiverse_pipelines.policy import Policy
from rdiverse_pipelines.usage import note_holding


class ClusterTarget:
    """The servers and trainers of one run in one release of the chart."""

    metrics_address = "0.0.0.0:9100"
    """Prometheus finds every pod of the release on this port."""

    def __init__(self, objects: RunObjects, api: Api) -> None:
        self._objects = objects
        self._cluster = objects.settings.cluster
        self._api = api

    @classmethod
    def of(cls, folder: RunFolder, cluster: Path) -> "ClusterTarget":
        """The target that a release's cluster.yaml describes. Raises ConfigError."""
        settings = ReleaseSettings.read(cluster)
        return cls(RunObjects(settings, folder), Api(settings.cluster.namespace))

    def address(self, service: str) -> str:
        """Where a service answers (see DeploymentTarget): all replicas of a run's own servers, in turn."""
        if service in POLICY_ROLES:
            return f"dns:///{self._objects.server_name(Role(service))}:{self._cluster.server_port}"
        return str(getattr(self._cluster.addresses, service))

    def launcher(self) -> Launcher:
        """Make PyTorchJobs from the chart's template."""
        from kubeflow.training import TrainingClient

        from rdiverse.training.launch.kubernetes import PyTorchJobLauncher

        return PyTorchJobLauncher(
            self._objects.settings.trainer,
            self._cluster.namespace,
            TrainingClient(client_configuration=self._api.configuration, namespace=self._cluster.namespace),
            release=self._cluster.release,
            gpu_resource=self._cluster.gpu_resource,
            job_labels=self._cluster.job_labels,
            environment={
                "RDIVERSE_SOLVER_ADDRESS": self.address(Role.SOLVER),
                "RDIVERSE_DIVERSITY_ADDRESS": self.address("diversity"),
            },
        )

    def ensure_serving(self, phase: Step, t: int, policies: Mapping[Role, Policy]) -> None:
        """First everything shrinks to the phase's plan and its GPUs are free, then what the phase needs grows."""
        shares = self._cluster.plan[phase]
        for role in policies:
            if getattr(shares, role) < 1:
                raise StepError(f"cluster.yaml: plan.{phase}.{role} is 0, but the phase asks the {role}")
        remaining = self._shrink(phase, shares)
        held = shares.model_copy(update={role: remaining[role] for role in POLICY_ROLES if role not in policies})
        note_holding(self._objects.folder, phase, t, held.gpus(self._cluster.gpus_each))
        growing = []
        for shared in managed(self._objects):
            count = claim_replicas(self._api, self._objects, shared, getattr(shares, shared), grow=True)
            growing.append((shared_server(self._objects, shared), count))
        for role, policy in policies.items():
            serve_policy(self._api, self._objects, role, policy, getattr(shares, role))
        for server, count in growing:
            if count:
                self._enforce(phase, server, wait_until_served(self._api, server, count, None, self._cluster.scale_seconds))

    def finish(self) -> list[str]:
        """Delete the run's InferenceServices, Services and unfinished PyTorchJobs; give up its claims."""
        stopped = []
        labels = selector(self._objects.labels())
        for job in self._api.jobs(labels):
            if not (condition(job, SUCCEEDED) or condition(job, FAILED)):
                self._api.delete_job(job["metadata"]["name"])
                stopped.append(f"PyTorchJob {job['metadata']['name']}")
        for service in self._api.inference_services(labels):
            self._api.delete(service["metadata"]["name"])
            stopped.append(f"InferenceService {service['metadata']['name']}")
        for role in POLICY_ROLES:
            self._api.delete_service(self._objects.headless(role))
            forget_served(self._objects.folder, role)
        for name in managed(self._objects):
            claim_replicas(self._api, self._objects, name, None, grow=True)
        note_holding(self._objects.folder, REST, 0, 0)
        return stopped

    def _shrink(self, phase: Step, shares: Shares) -> dict[Role, int]:
        """Stop what the phase has no place for and wait until it is gone; gives how many of the run's servers are left."""
        leaving: list[tuple[ServerPods, int]] = []
        remaining: dict[Role, int] = {}
        for role in POLICY_ROLES:
            wanted = getattr(shares, role)
            service = self._api.get(self._objects.name(role))
            remaining[role] = min(replicas(service), wanted)
            if service is None:
                continue
            if replicas(service) > wanted:
                self._api.patch(self._objects.name(role), scaled(wanted))
            leaving.append((server_of(self._objects, role), wanted))
        for name in managed(self._objects):
            count = claim_replicas(self._api, self._objects, name, getattr(shares, name), grow=False)
            leaving.append((shared_server(self._objects, name), count))
        for server, count in leaving:
            self._enforce(phase, server, wait_until_gone(self._api, server, count, self._cluster.scale_seconds))
        return remaining

    @staticmethod
    def _enforce(phase: Step, server: ServerPods, failure: str | None) -> None:
        if failure:
            raise StepError(f"before phase {phase}: InferenceService {server.name}: {failure}")
