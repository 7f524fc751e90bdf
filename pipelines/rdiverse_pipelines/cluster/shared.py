"""The release's own servers (coder, encoder), which all of its runs share: each run claims what it needs."""

import json

from rdiverse.runs.manifest import StepError
from rdiverse.selfplay.roles import SHARED_ROLES, Role
from rdiverse.selfplay.steps import REST
from rdiverse.training.launch.pytorchjob import INSTANCE_LABEL
from rdiverse_pipelines.cluster.api import Api, ConflictError
from rdiverse_pipelines.cluster.objects import RunObjects, annotations, replicas, scaled, selector
from rdiverse_pipelines.cluster.replicas import ServerPods

CLAIMS = "rdiverse.dev/claims"
"""Annotation of an InferenceService: run -> replicas that it needs now. As many are up as the neediest run claims."""


def shared_server(objects: RunObjects, role: Role) -> ServerPods:
    """How the pods of a shared server are found."""
    cluster = objects.settings.cluster
    labels = {"app.kubernetes.io/name": "rdiverse", INSTANCE_LABEL: cluster.release, "app.kubernetes.io/component": role}
    full = f"{cluster.release}-{role}"
    return ServerPods(full, selector(labels), cluster.server_port, f"{full}-headless.{cluster.namespace}.svc")


def managed(objects: RunObjects) -> list[Role]:
    """The shared servers that the plan ever wants: others stand elsewhere, or nowhere."""
    return [role for role in SHARED_ROLES if any(getattr(shares, role) for shares in objects.settings.cluster.plan.values())]


def claim_replicas(api: Api, objects: RunObjects, role: Role, count: int | None, *, grow: bool) -> int:
    """Claim so many replicas for the run (None: no claim any more). Gives the number that is to be up then.

    Without `grow` the number is only ever lowered: before a phase everything shrinks, and only then anything grows.
    """
    run, server = objects.folder.run_id, f"{objects.release}-{role}"
    while True:
        service = api.get(server)
        if service is None:
            raise StepError(
                f"InferenceService {server} does not exist, although the release's plan wants it: run `helm upgrade`"
            )
        before: dict[str, int] = json.loads(annotations(service).get(CLAIMS) or "{}")
        now, present = replicas(service), before.get(run)
        if not grow and (count or 0) > now:
            return now
        claims = {other: number for other, number in before.items() if other != run} | ({} if count is None else {run: count})
        wanted = max(claims.values(), default=getattr(objects.settings.cluster.plan[REST], role))
        if wanted == now and present == count:
            return wanted
        patch = scaled(wanted)
        patch["metadata"]["annotations"][CLAIMS] = json.dumps(claims, sort_keys=True) if claims else None
        patch["metadata"]["resourceVersion"] = service["metadata"]["resourceVersion"]
        try:
            api.patch(server, patch)
        except ConflictError:
            continue  # another run has claimed in between
        return wanted
