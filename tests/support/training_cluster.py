"""An API server in small: keeps PyTorchJobs and pods, streams watches and logs over HTTP, and fails on demand."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlparse

from tests.support.json_server import JsonHandler, served

JOBS = "/apis/kubeflow.org/v1/namespaces/ns/pytorchjobs"
PODS = "/api/v1/namespaces/ns/pods"


class Cluster:
    """What the server knows. `on_create(job)` plays the operator: it is called in a thread of its own for every new job."""

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.pods: dict[str, dict[str, Any]] = {}
        self.logs: dict[str, str] = {}
        self.created: list[dict[str, Any]] = []
        self.deleted: list[str] = []
        self.on_create: Callable[[dict[str, Any]], None] = lambda _job: None
        self.broken_watches = 0
        """So many watches end with 410 Gone, the next so many with a torn connection."""
        self.torn_watches = 0
        self.refused_creates: list[int] = []
        """Status codes of the next creations."""
        self.down = threading.Event()
        """While set, every connection is closed without an answer."""
        self.changed = threading.Condition()
        self.version = 0

    def change(self, act: Callable[[], Any]) -> None:
        """Do something to the objects, so that watches see it."""
        with self.changed:
            act()
            self.version += 1
            for job in self.jobs.values():
                job["metadata"]["resourceVersion"] = str(self.version)
            self.changed.notify_all()

    def condition(self, name: str, kind: str, message: str = "") -> None:
        """Let the operator report a condition of a job."""
        condition = {"type": kind, "status": "True", "message": message}
        self.change(lambda: self.jobs[name].setdefault("status", {}).setdefault("conditions", []).append(condition))

    def pod(
        self, job: str, container: dict[str, Any] | None = None, phase: str = "Running", rank: str = "master-0", **status: Any
    ) -> None:
        """Put a pod of a job there, with the state of its container."""
        name = f"{job}-{rank}"
        states = [{"name": "pytorch", "image": "i", "imageID": "", "ready": False, "restartCount": 0, "state": container}]
        pod = {
            "metadata": {"name": name, "namespace": "ns", "labels": {"training.kubeflow.org/job-name": job}},
            "spec": {"containers": [{"name": "pytorch"}]},
            "status": {"phase": phase, **({"containerStatuses": states} if container else {}), **status},
        }
        self.change(lambda: self.pods.update({name: pod}))


@contextmanager
def serving(cluster: Cluster, base: type["_Handler"] | None = None) -> Iterator[str]:
    """Serve the cluster; gives its URL."""
    with served(base or _Handler, cluster=cluster) as url:
        yield url


class _Handler(JsonHandler):
    cluster: Cluster

    def _status(self, code: int, message: str) -> None:
        self._answer(code, {"kind": "Status", "code": code, "message": message})

    def _down(self) -> bool:
        if self.cluster.down.is_set():
            self.close_connection = True
            self.connection.close()
            return True
        return False

    def do_POST(self) -> None:
        if self._down():
            return
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        cluster, name = self.cluster, body["metadata"]["name"]
        if cluster.refused_creates:
            code = cluster.refused_creates.pop(0)
            self._status(code, f"refused with {code}")
            return
        if name in cluster.jobs:
            self._status(409, f"{name} already exists")
            return
        cluster.created.append(body)
        cluster.change(lambda: cluster.jobs.update({name: body}))
        threading.Thread(target=cluster.on_create, args=(body,), daemon=True).start()
        self._answer(201, body)

    def do_DELETE(self) -> None:
        if self._down():
            return
        name, cluster = urlparse(self.path).path.rpartition("/")[2], self.cluster
        if name not in cluster.jobs:
            self._status(404, "not found")
            return
        cluster.deleted.append(name)

        def remove() -> None:
            cluster.jobs.pop(name)
            for pod in [pod for pod in cluster.pods if pod.startswith(name)]:
                cluster.pods.pop(pod)

        cluster.change(remove)
        self._answer(200, {"kind": "Status", "status": "Success"})

    def do_GET(self) -> None:
        if self._down():
            return
        url = urlparse(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        cluster = self.cluster
        if url.path == JOBS and query.get("watch"):
            self._watch(query)
        elif url.path.startswith(JOBS + "/"):
            job = cluster.jobs.get(url.path.removeprefix(JOBS + "/"))
            self._answer(200, job) if job else self._status(404, "not found")
        elif url.path == PODS:
            key, _, value = query["labelSelector"].partition("=")
            items = [pod for pod in cluster.pods.values() if pod["metadata"]["labels"].get(key) == value]
            self._answer(200, {"kind": "PodList", "items": items})
        elif match := re.fullmatch(PODS + "/([^/]+)/log", url.path):
            self._log(match[1])
        else:
            self._status(404, f"no such path {url.path}")

    def _log(self, pod: str) -> None:
        if pod not in self.cluster.logs:
            self._status(400, "container is waiting to start")
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.cluster.logs[pod].encode())

    def _watch(self, query: dict[str, str]) -> None:
        cluster, name = self.cluster, query["fieldSelector"].partition("=")[2]
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        if cluster.broken_watches:
            cluster.broken_watches -= 1
            self._event("ERROR", {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"})
            return
        if cluster.torn_watches:
            cluster.torn_watches -= 1
            self.connection.close()
            return
        deadline = time.monotonic() + min(float(query["timeoutSeconds"]), 5)
        with cluster.changed:
            while time.monotonic() < deadline and not cluster.down.is_set():
                job = cluster.jobs.get(name)
                if job is None or job["metadata"]["resourceVersion"] != query["resourceVersion"]:
                    break
                cluster.changed.wait(0.2)
            job = cluster.jobs.get(name)
        if job is None or job["metadata"]["resourceVersion"] != query["resourceVersion"]:
            self._event("DELETED" if job is None else "MODIFIED", job or {"metadata": {"name": name, "resourceVersion": "0"}})

    def _event(self, kind: str, body: dict[str, Any]) -> None:
        self.wfile.write(json.dumps({"type": kind, "object": body}).encode() + b"\n")


def faults(value: Any, schema: dict[str, Any], where: str = "") -> list[str]:  # noqa: C901 - a schema has that many rules
    """What a strict API server says of `value`: unknown fields, missing ones, wrong types, values that are not allowed."""
    if schema.get("x-kubernetes-int-or-string"):
        return [] if isinstance(value, int | str) else [f"{where}: neither int nor string"]
    types = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float)}
    kind = schema.get("type")
    if (kind and not isinstance(value, types[kind])) or (kind == "integer" and isinstance(value, bool)):
        return [f"{where}: {value!r} is no {kind}"]
    found = []
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{where}: {value!r} is none of {schema['enum']}")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(f"{where}: {value!r} does not match {schema['pattern']}")
    if kind == "object":
        properties, rest = schema.get("properties", {}), schema.get("additionalProperties")
        found += [f"{where}.{name}: is required" for name in schema.get("required", []) if name not in value]
        for name, child in value.items():
            if name in properties:
                found += faults(child, properties[name], f"{where}.{name}")
            elif isinstance(rest, dict):
                found += faults(child, rest, f"{where}.{name}")
            elif not rest and not schema.get("x-kubernetes-preserve-unknown-fields") and properties:
                found.append(f"{where}.{name}: unknown field")
    if kind == "array":
        for number, child in enumerate(value):
            found += faults(child, schema["items"], f"{where}[{number}]")
    return found
