"""Weights reach a cluster's servers by a change of the InferenceService: a pod that restarts comes back with the right ones."""

import contextlib
import json
from pathlib import Path

from rdiverse.runs.files import write_json
from rdiverse.runs.folder import RunFolder
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
    _offer(api, objects, role, policy, count)
    server, seconds = server_of(objects, role), objects.settings.cluster.weights_seconds
    failure = wait_until_served(api, server, count, policy.version, seconds)
    if failure is None:
        write_json(_record(objects.folder, role), {"path": str(policy.path), "version": policy.version})
        return
    consequence = _roll_back(api, objects, role, policy, count)
    raise StepError(f"serving {role} weights {policy.version} from {policy.path}: {failure}. {consequence}")


def served(folder: RunFolder, role: Role) -> Policy | None:
    """What every replica of a role has reported last; None: nothing since the role's servers were begun.

    It stands in the run's folder: KServe copies an InferenceService's annotations into its pods, so that a note there would
    restart every replica.
    """
    path = _record(folder, role)
    if not path.is_file():
        return None
    value = json.loads(path.read_text(encoding="utf-8"))
    return Policy(Path(value["path"]), value["version"])


def forget_served(folder: RunFolder, role: Role) -> None:
    """The role's servers are gone: whatever comes next begins anew."""
    _record(folder, role).unlink(missing_ok=True)


def _record(folder: RunFolder, role: Role) -> Path:
    return folder.root / "served" / f"{role}.json"


def _offer(api: Api, objects: RunObjects, role: Role, policy: Policy, count: int) -> None:
    """Have the InferenceService say what is wanted."""
    wanted = objects.inference_service(role, policy, count)
    with contextlib.suppress(ConflictError):  # it is there from an earlier attempt or iteration
        api.create_service(objects.service(role))
    try:
        present = api.get(objects.name(role))
        if present is None:
            forget_served(objects.folder, role)
            api.create(wanted)
            return
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


def _says(service: Object) -> tuple[str, list[str]]:
    predictor = service["spec"]["predictor"]
    return (predictor.get("annotations") or {}).get(WEIGHTS, ""), predictor["containers"][0]["args"]


def _roll_back(api: Api, objects: RunObjects, role: Role, policy: Policy, count: int) -> str:
    """Go back to the weights that were served before; says in words what came of it."""
    name = objects.name(role)
    old = served(objects.folder, role)
    if old is None or old.version == policy.version:
        api.patch(name, scaled(0))
        return f"No other weights were served before: InferenceService {name} is stopped"
    wanted = objects.inference_service(role, old, count)
    api.patch(name, {"metadata": {"labels": wanted["metadata"]["labels"]}, "spec": wanted["spec"]})
    failure = wait_until_served(api, server_of(objects, role), count, old.version, objects.settings.cluster.weights_seconds)
    return f"Rolled back to {old.version}" + (
        f", which is served by only {failure}" if failure else ", which every replica serves"
    )
