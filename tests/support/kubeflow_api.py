"""Kubeflow Pipelines' API in small, and a cluster that has or lacks what a run needs: enough for `rdiverse pipeline`."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlparse

from tests.support.json_server import JsonHandler, served

RESOURCES = {"serving.kserve.io": "inferenceservices", "kubeflow.org": "pytorchjobs"}
CONTROLLERS = {"kserve-controller-manager", "kubeflow-training-operator"}


class World:
    """What the two servers know and were told."""

    def __init__(self) -> None:
        self.token = ""
        """What Kubeflow Pipelines asks for; empty: nothing."""
        self.multi_user = False
        self.runs: list[dict[str, Any]] = []
        self.uploads: list[str] = []
        self.refusal: tuple[int, str] | None = None
        """Status and message with which runs are refused."""
        self.state: dict[str, Any] = {"state": "RUNNING"}
        self.groups = dict(RESOURCES)
        self.controllers = set(CONTROLLERS)
        self.objects = {"configmaps/rdiverse-run", "persistentvolumeclaims/rdiverse-workspace"}
        self.forbidden: set[str] = set()
        """Parts of paths that may not be looked at."""
        self.credentials_refused = False


@contextmanager
def serving(world: World) -> Iterator[str]:
    """Serve both; gives the URL."""
    with served(_Handler, world=world) as url:
        yield url


class _Handler(JsonHandler):
    world: World

    def do_GET(self) -> None:
        path = urlparse(self.path)
        if path.path.startswith("/apis/v2beta1"):
            self._kubeflow(path.path)
        else:
            self._kubernetes(path.path, path.query)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        path = urlparse(self.path).path
        if not self._known():
            return
        if path.endswith("/runs"):
            if self.world.refusal:
                self._answer(self.world.refusal[0], {"message": self.world.refusal[1]})
                return
            self.world.runs.append(json.loads(body))
            self._answer(200, {"run_id": "run-0001"})
        elif path.endswith("/experiments"):
            self._answer(200, {"experiment_id": "e", "display_name": json.loads(body).get("display_name")})
        elif path.endswith(("/pipelines/upload", "/pipelines/upload_version")):
            self.world.uploads.append(self.path)
            self._answer(200, {"pipeline_id": "pipeline-1"})

    def _known(self) -> bool:
        if self.world.token and self.headers.get("Authorization") != f"Bearer {self.world.token}":
            self._answer(401, {"message": "token has expired"})
            return False
        return True

    def _kubeflow(self, path: str) -> None:
        if not self._known():
            return
        if path.endswith("/healthz"):
            self._answer(200, {"multi_user": self.world.multi_user})
        elif path.endswith("/experiments"):
            self._answer(200, {"experiments": []})
        elif path.endswith("/pipelines"):
            self._answer(200, {"pipelines": [{"pipeline_id": "pipeline-1"}] if self.world.uploads else []})
        elif "/runs/" in path:
            self._answer(200, {"run_id": "run-0001"} | self.world.state)

    def _kubernetes(self, path: str, query: str) -> None:
        world = self.world
        if world.credentials_refused:
            self._answer(401, {"kind": "Status", "code": 401, "message": "Unauthorized"})
        elif any(part in path for part in world.forbidden):
            self._answer(403, {"kind": "Status", "code": 403, "message": "forbidden"})
        elif path.startswith("/apis/apps/"):
            found = [name for name in world.controllers if name in query]
            items = [{"metadata": {"name": name}, "status": {"availableReplicas": 1}, "spec": _deployment()} for name in found]
            self._answer(200, {"kind": "DeploymentList", "items": items})
        elif path.startswith("/apis/"):
            group = path.split("/")[2]
            if group not in world.groups:
                self._answer(404, {"kind": "Status", "code": 404, "message": "not found"})
                return
            resource = {"name": world.groups[group], "singularName": "", "namespaced": True, "kind": "K", "verbs": ["get"]}
            self._answer(200, {"kind": "APIResourceList", "groupVersion": group, "resources": [resource]})
        else:
            _, _, what = path.partition("/namespaces/team/")
            found = what in world.objects
            self._answer(
                200 if found else 404, {"metadata": {"name": what}} if found else {"code": 404, "message": "not found"}
            )


def _deployment() -> dict[str, Any]:
    return {"selector": {}, "template": {"spec": {"containers": [{"name": "c"}]}}}
