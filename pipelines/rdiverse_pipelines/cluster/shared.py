"""The release's own servers (coder, encoder), which all of its runs share: each run claims what it needs."""

import json

from rdiverse.runs.manifest import StepError
from rdiverse.selfplay.roles import SHARED_ROLES, Role
from rdiverse.selfplay.steps import REST
from rdiverse.training.launch.pytorchjob import INSTANCE_LABEL
from rdiverse_pipelines.cluster.api import Api, ConflictError
from rdiverse_pipelines.cluster.objects import RunObjects, replicas, scaled, selector
from rdiverse_pipelines.cluster.replicas import ServerPods


def shared_server(objects: RunObjects, role: Role) -> ServerPods:
    """How the pods of a shared server are found."""
    cluster = objects.settings.cluster
    labels = {"app.kubernetes.io/name": "rdiverse", INSTANCE_LABEL: cluster.release, "app.kubernetes.io/component": role}
    full = f"{cluster.release}-{role}"
    return ServerPods(full, selector(labels), cluster.server_port, f"{full}-headless.{cluster.namespace}.svc")


def managed(objects: RunObjects) -> list[Role]:
    """The shared servers that the plan ever wants: others stand elsewhere, or nowhere."""
    return [role for role in SHARED_ROLES if any(getattr(shares, role) for shares in objects.settings.cluster.plan.values())]


def claims_name(objects: RunObjects) -> str:
    """The release's ConfigMap of claims: role -> JSON of run -> replicas that it needs now. The chart makes it, empty."""
    return f"{objects.release}-claims"


def claim_replicas(api: Api, objects: RunObjects, role: Role, count: int | None, *, grow: bool) -> int:
    """Claim so many replicas for the run (None: no claim any more). Gives the number that is to be up then.

    As many are up as the neediest run claims. Without `grow` the number is only ever lowered: before a phase everything
    shrinks, and only then anything grows. The claim comes first and the replicas follow from all claims as they are then, read
    again until both agree, so that of two runs at once the one that comes last sets it right.
    """
    run, server, name = objects.folder.run_id, f"{objects.release}-{role}", claims_name(objects)
    while True:
        service, noted = api.get(server), api.config_map(name)
        if service is None or noted is None:
            missing = f"InferenceService {server}" if service is None else f"ConfigMap {name}"
            raise StepError(f"{missing} does not exist, although the release's plan wants it: run `helm upgrade`")
        before: dict[str, int] = json.loads(noted[1].get(role) or "{}")
        now = replicas(service)
        if not grow and (count or 0) > now:
            return now
        claims = {other: number for other, number in before.items() if other != run} | ({} if count is None else {run: count})
        wanted = max(claims.values(), default=getattr(objects.settings.cluster.plan[REST], role))
        if wanted == now and claims == before:
            return wanted
        try:
            if claims != before:
                api.patch_config_map(name, noted[0], {role: json.dumps(claims, sort_keys=True) if claims else None})
            if wanted != now:
                version = {"resourceVersion": service["metadata"]["resourceVersion"]}
                patch = scaled(wanted)
                api.patch(server, patch | {"metadata": patch["metadata"] | version})
        except ConflictError:
            continue  # another run has claimed in between
