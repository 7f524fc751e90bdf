"""Weights reach a cluster's servers by a change of the InferenceService: a pod that restarts comes back with the right ones."""

import contextlib
from pathlib import Path

from rdiverse.runs.manifest import StepError
from rdiverse.selfplay.roles import Role
from rdiverse_pipelines.cluster.api import Api, ConflictError
from rdiverse_pipelines.cluster.objects import (
    WEIGHTS,
    Object,
    RunObjects,
    replicas,
    scaled,
    selector,
    served,
    served_patch,
)
from rdiverse_pipelines.cluster.replicas import ServerPods, wait_until_served
from rdiverse_pipelines.policy import Policy


def server_of(objects: RunObjects, role: Role) -> ServerPods:
    """How the pods of a run's role are found."""
    return ServerPods(
        objects.name(role), selector(objects.labels(role)), objects.settings.cluster.server_port, objects.server_name(role)
    )


def serve_policy(api: Api, objects: RunObjects, role: Role, policy: Policy, count: int) -> None:
    """Serve a policy with `count` replicas and return when every one of them reports it.

    What is as it should be already is left as it is. Raises StepError after `weights_seconds`; the servers then serve again
    what all of them served last, or, when nothing was ever served, are stopped.
    """
    present = _offer(api, objects, role, policy, count)
    server, seconds = server_of(objects, role), objects.settings.cluster.weights_seconds
    failure = wait_until_served(api, server, count, policy.version, seconds)
    if failure is None:
        if served(present) != (str(policy.path), policy.version):
            api.patch(server.name, served_patch(policy))
        return
    consequence = _roll_back(api, objects, role, policy, count)
    raise StepError(f"serving {role} weights {policy.version} from {policy.path}: {failure}. {consequence}")


def _offer(api: Api, objects: RunObjects, role: Role, policy: Policy, count: int) -> Object:
    """Have the InferenceService say what is wanted; gives it as it was, or as it was created."""
    wanted = objects.inference_service(role, policy, count)
    with contextlib.suppress(ConflictError):  # it is there from an earlier attempt or iteration
        api.create_service(objects.service(role))
    try:
        present = api.get(objects.name(role))
        if present is None:
            api.create(wanted)
            return wanted
    except ConflictError:
        # An attempt whose answer was lost has created it.
        present = api.get(objects.name(role))
    if present is None:
        raise StepError(
            f"InferenceService {objects.name(role)} was deleted while it was created: does something else delete it?"
        )
    own = objects.labels(role).items()
    if not own <= (present["metadata"].get("labels") or {}).items():
        raise StepError(f"an InferenceService {objects.name(role)} exists that is not this run's; delete it or rename the run")
    if _says(present) != _says(wanted) or replicas(present) != count:
        wanted["metadata"].setdefault("annotations", {}).update(scaled(count)["metadata"]["annotations"])
        api.patch(objects.name(role), {"metadata": wanted["metadata"], "spec": wanted["spec"]})
    return present


def _says(service: Object) -> tuple[str, list[str]]:
    predictor = service["spec"]["predictor"]
    return (predictor.get("annotations") or {}).get(WEIGHTS, ""), predictor["containers"][0]["args"]


def _roll_back(api: Api, objects: RunObjects, role: Role, policy: Policy, count: int) -> str:
    """Go back to the weights that were served before; says in words what came of it."""
    name = objects.name(role)
    present = api.get(name)
    before = served(present) if present else None
    if before is None or before[1] == policy.version:
        api.patch(name, scaled(0))
        return f"No other weights were served before: InferenceService {name} is stopped"
    old = Policy(Path(before[0]), before[1])
    wanted = objects.inference_service(role, old, count)
    api.patch(name, {"metadata": {"labels": wanted["metadata"]["labels"]}, "spec": wanted["spec"]})
    failure = wait_until_served(api, server_of(objects, role), count, old.version, objects.settings.cluster.weights_seconds)
    return f"Rolled back to {old.version}" + (
        f", which is served by only {failure}" if failure else ", which every replica serves"
    )
