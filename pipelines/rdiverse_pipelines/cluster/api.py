"""The few calls to the Kubernetes API that a run makes; each waits out an API server that is away for moments."""

import os
import time
from collections.abc import Callable
from typing import Any, cast

from rdiverse.runs.manifest import StepError
from rdiverse.training.launch.api_errors import api_errors, error_message, is_transient
from rdiverse.training.launch.kubernetes import API_GONE_SECONDS, PAUSE_SECONDS
from rdiverse_pipelines.cluster.objects import Object

KSERVE = ("serving.kserve.io", "v1beta1")
INFERENCE_SERVICES = "inferenceservices"
TRAINING = ("kubeflow.org", "v1")
PYTORCH_JOBS = "pytorchjobs"
SECONDS = 30
"""A call that takes longer is taken for lost, and made again."""


class ConflictError(RuntimeError):
    """Somebody has changed the object in between: read it again."""


def configured() -> Any:
    """The Kubernetes client's configuration: the pod's own account, else a kubeconfig. Raises ConfigException."""
    from kubernetes import config
    from kubernetes.client import Configuration

    configuration = Configuration()
    kubeconfig = os.environ.get("KUBECONFIG")
    if os.environ.get("KUBERNETES_SERVICE_HOST") and not kubeconfig:
        config.load_incluster_config(client_configuration=configuration)
    else:
        config.load_kube_config(kubeconfig or "~/.kube/config", client_configuration=configuration)
    configuration.retries = False
    return configuration


class Api:
    """One namespace of a cluster. Every method raises StepError when the API refuses or stays away."""

    def __init__(self, namespace: str, configuration: Any = None, gone_seconds: float = API_GONE_SECONDS) -> None:
        from kubernetes import client

        self.namespace = namespace
        self.configuration = configuration or configured()
        """Of kubernetes.client, for other clients of the same API server."""
        api_client = client.ApiClient(self.configuration)
        self.custom_api = client.CustomObjectsApi(api_client)
        self.core_api = client.CoreV1Api(api_client)
        self._gone_seconds = gone_seconds

    def get(self, name: str) -> Object | None:
        """An InferenceService, or None."""
        return self._custom("get", KSERVE, INFERENCE_SERVICES, name)

    def create(self, body: Object) -> None:
        """Create an InferenceService. Raises ConflictError when one of that name exists."""
        self._custom("create", KSERVE, INFERENCE_SERVICES, body, may_miss=False)

    def patch(self, name: str, body: Object) -> None:
        """Merge into an InferenceService. With metadata.resourceVersion: raises ConflictError when it is another one's."""
        self._custom("patch", KSERVE, INFERENCE_SERVICES, name, body, may_miss=False)

    def delete(self, name: str) -> None:
        """Delete an InferenceService, if it is there."""
        self._custom("delete", KSERVE, INFERENCE_SERVICES, name)

    def inference_services(self, selector: str) -> list[Object]:
        """InferenceServices by their labels."""
        return self._listed(KSERVE, INFERENCE_SERVICES, selector)

    def config_map(self, name: str) -> tuple[str, dict[str, str]] | None:
        """ResourceVersion and data of a ConfigMap, or None."""
        found: Any = self._ask(f"read ConfigMap {name}", self.core_api.read_namespaced_config_map, name, self.namespace)
        return None if found is None else (found.metadata.resource_version, dict(found.data or {}))

    def patch_config_map(self, name: str, version: str, data: dict[str, str | None]) -> None:
        """Set keys of a ConfigMap (None: take away). Raises ConflictError when it is no longer of this resourceVersion."""
        body = {"metadata": {"resourceVersion": version}, "data": data}
        change = self.core_api.patch_namespaced_config_map
        self._ask(f"change ConfigMap {name}", change, name, self.namespace, body, may_miss=False)

    def create_service(self, body: Object) -> None:
        """Create a Service. Raises ConflictError when one of that name exists."""
        create, name = self.core_api.create_namespaced_service, body["metadata"]["name"]
        self._ask(f"create Service {name}", create, self.namespace, body, may_miss=False)

    def delete_service(self, name: str) -> None:
        """Delete a Service, if it is there."""
        self._ask(f"delete Service {name}", self.core_api.delete_namespaced_service, name, self.namespace)

    def pods(self, selector: str) -> list[Any]:
        """Pods (V1Pod) by their labels."""
        call = self.core_api.list_namespaced_pod
        return list(self._ask("list pods", call, self.namespace, label_selector=selector, may_miss=False).items)

    def jobs(self, selector: str) -> list[Object]:
        """PyTorchJobs by their labels."""
        return self._listed(TRAINING, PYTORCH_JOBS, selector)

    def delete_job(self, name: str) -> None:
        """Delete a PyTorchJob and its pods, if it is there."""
        self._custom("delete", TRAINING, PYTORCH_JOBS, name, propagation_policy="Foreground")

    def _listed(self, group: tuple[str, str], plural: str, selector: str) -> list[Object]:
        listed = self._custom("list", group, plural, label_selector=selector)
        if listed is None:
            raise StepError(
                f"the cluster knows no {plural}.{group[0]}: its operator or CustomResourceDefinition is not installed"
            )
        return list(listed["items"])

    def _custom(
        self, verb: str, group: tuple[str, str], plural: str, *arguments: str | Object, may_miss: bool = True, **options: str
    ) -> Object | None:
        """Call the API for custom objects. `arguments`: the object's name, its body, as the verb takes them."""
        call = getattr(self.custom_api, f"{verb}_namespaced_custom_object")
        named = arguments[0] if arguments else ""
        name = named if isinstance(named, str) else named["metadata"]["name"]
        what, where = f"{verb} {plural} {name}".rstrip(), (*group, self.namespace, plural)
        return cast(Object | None, self._ask(what, call, *where, *arguments, may_miss=may_miss, **options))

    def _ask(self, what: str, call: Callable[..., Any], *arguments: Any, may_miss: bool = True, **options: Any) -> Any:
        """Call, again while the API server is away. None: there is no such object, where that may be."""
        began = time.monotonic()
        while True:
            try:
                return call(*arguments, _request_timeout=SECONDS, **options)
            except api_errors() as error:
                status = getattr(error, "status", None)
                if status == 404 and may_miss:
                    return None
                if status == 409:
                    raise ConflictError(error_message(error)) from error
                if not is_transient(error):
                    raise StepError(f"cannot {what} in namespace {self.namespace}: {error_message(error)}") from error
                if time.monotonic() - began >= self._gone_seconds:
                    raise StepError(
                        f"cannot {what}: the Kubernetes API has not answered for {self._gone_seconds:.0f} s:"
                        f" {error_message(error)}"
                    ) from error
            time.sleep(PAUSE_SECONDS)
