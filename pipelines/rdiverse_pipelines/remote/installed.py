"""Looks whether a cluster has what a run needs, before anything is sent to it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rdiverse.training.launch.api_errors import api_errors, error_message

SECONDS = 10


@dataclass(frozen=True)
class Operator:
    """Something that has to be installed in a cluster, once."""

    name: str
    group: str
    version: str
    plural: str
    selector: str
    """Of its controller's Deployment, in whatever namespace it stands."""
    install: str


OPERATORS = (
    Operator(
        "KServe",
        "serving.kserve.io",
        "v1beta1",
        "inferenceservices",
        "control-plane=kserve-controller-manager",
        "Install KServe 0.20 or newer in Standard mode: https://kserve.github.io/website/docs/install",
    ),
    Operator(
        "the Kubeflow training operator",
        "kubeflow.org",
        "v1",
        "pytorchjobs",
        "control-plane=kubeflow-training-operator",
        "Install the training operator 1.9: kubectl apply --server-side -k"
        " 'github.com/kubeflow/training-operator.git/manifests/overlays/standalone?ref=v1.9.4'",
    ),
)


@dataclass(frozen=True)
class Findings:
    """What is missing, and what could not be looked at."""

    missing: list[str]
    unknown: list[str]


def look(namespace: str, release: str, workspace: str) -> Findings:
    """Look for the operators, the release and its volume (the claim `workspace`).

    By the kubeconfig at hand, or the pod's own account; without either, nothing is known.
    """
    from kubernetes import client
    from kubernetes.config.config_exception import ConfigException

    from rdiverse_pipelines.cluster.api import configured

    try:
        configuration = configured()
    except ConfigException as error:
        return Findings([], [f"no kubeconfig: whether operators and release are installed could not be looked at ({error})"])
    api = client.ApiClient(configuration)
    missing: list[str] = []
    unknown: list[str] = []
    try:
        for operator in OPERATORS:
            missing += _without(api, operator, unknown)
        missing += _without_release(api, namespace, release, workspace, unknown)
    except api_errors() as error:
        status = getattr(error, "status", None)
        what = "refuses the kubeconfig's credentials" if status == 401 else "cannot be asked"
        unknown.append(f"the Kubernetes API at {configuration.host} {what}: {error_message(error)}")
    return Findings(missing, unknown)


def _without(api: Any, operator: Operator, unknown: list[str]) -> Iterator[str]:
    from kubernetes import client
    from kubernetes.client.exceptions import ApiException

    try:
        resources = (
            client.CustomObjectsApi(api).get_api_resources(operator.group, operator.version, _request_timeout=SECONDS).resources
        )
    except ApiException as error:
        if error.status != 404:
            raise
        resources = []
    if operator.plural not in {resource.name for resource in resources}:
        yield (
            f"the CustomResourceDefinition {operator.plural}.{operator.group} ({operator.version}) is missing,"
            f" which {operator.name} brings. {operator.install}"
        )
        return
    try:
        deployments = (
            client.AppsV1Api(api)
            .list_deployment_for_all_namespaces(label_selector=operator.selector, _request_timeout=SECONDS)
            .items
        )
    except ApiException as error:
        if error.status != 403:
            raise
        unknown.append(f"whether {operator.name} is running: its Deployment may not be looked at ({error_message(error)})")
        return
    if not any((deployment.status.available_replicas or 0) > 0 for deployment in deployments):
        state = "has no controller that is available" if deployments else "has no controller"
        yield f"{operator.name} {state}, although its CustomResourceDefinition is there. {operator.install}"


def _without_release(api: Any, namespace: str, release: str, workspace: str, unknown: list[str]) -> Iterator[str]:
    from kubernetes import client
    from kubernetes.client.exceptions import ApiException

    core = client.CoreV1Api(api)
    wanted = (
        ("ConfigMap", f"{release}-run", core.read_namespaced_config_map),
        ("PersistentVolumeClaim", workspace, core.read_namespaced_persistent_volume_claim),
    )
    for kind, name, read in wanted:
        try:
            read(name, namespace, _request_timeout=SECONDS)
        except ApiException as error:
            if error.status == 403:
                unknown.append(f"{kind} {name} in namespace {namespace}: may not be looked at")
            elif error.status == 404:
                yield (
                    f"{kind} {name} is missing in namespace {namespace}; release {release!r} of the chart makes or uses it."
                    f" Install it: helm install {release} helm/rdiverse -n {namespace} -f values.yaml"
                )
            else:
                raise
