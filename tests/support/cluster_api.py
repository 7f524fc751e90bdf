"""The rest of a small cluster behind the API server of `training_cluster`: InferenceServices, Services and their pods.

`Kubelet` plays KServe and the nodes, as tests/cluster/live sees them: it lets pods come and go as the InferenceServices
say, and starts whatever it is given in each of them, on a loopback address of its own.
"""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import grpc

from rdiverse.v1 import model_control_pb2, model_control_pb2_grpc
from tests.support.training_cluster import Cluster, _Handler, serving

SERVICES = "/api/v1/namespaces/ns/services"
INFERENCE = "/apis/serving.kserve.io/v1beta1/namespaces/ns/inferenceservices"
JOBS = "/apis/kubeflow.org/v1/namespaces/ns/pytorchjobs"
PODS = "/api/v1/namespaces/ns/pods"
CONFIG_MAPS = "/api/v1/namespaces/ns/configmaps"
STOP = "serving.kserve.io/stop"


class Release(Cluster):
    """A namespace with a release of the chart in it."""

    def __init__(self) -> None:
        super().__init__()
        claims = {"metadata": {"name": "r-claims", "labels": {}, "resourceVersion": "1"}}
        self.kept: dict[str, dict[str, dict[str, Any]]] = {SERVICES: {}, INFERENCE: {}, CONFIG_MAPS: {"r-claims": claims}}
        self.writes: list[tuple[str, str, str]] = []
        """Every change that was asked for and made: verb, plural, name."""
        self.verbs: set[tuple[str, str]] = set()
        """Every (plural, verb) that anybody needed."""

    def inference(self, name: str) -> dict[str, Any]:
        """An InferenceService."""
        return self.kept[INFERENCE][name]

    def put(self, service: dict[str, Any]) -> None:
        """Put an InferenceService there as the chart does."""
        service["metadata"].setdefault("resourceVersion", "1")
        self.kept[INFERENCE][service["metadata"]["name"]] = service


@contextmanager
def serving_release(release: Release) -> Iterator[str]:
    """Serve the API; gives its URL."""
    with serving(release, _ReleaseHandler) as url:
        yield url


def write_kubeconfig(path: Path, url: str) -> Path:
    """A kubeconfig that finds the API."""
    cluster = {"name": "c", "cluster": {"server": url}}
    context = {"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "ns"}}
    user = {"name": "u", "user": {"token": "t"}}
    body = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "clusters": [cluster],
        "contexts": [context],
        "users": [user],
    }
    path.write_text(json.dumps(body))
    return path


def matches(labels: dict[str, str], selector: str) -> bool:
    return all(labels.get(key) == value for key, _, value in (part.partition("=") for part in selector.split(",") if part))


def merged(target: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


class _ReleaseHandler(_Handler):
    cluster: Release

    def _where(self) -> tuple[str, str]:
        path = urlparse(self.path).path
        for base in (SERVICES, INFERENCE, CONFIG_MAPS):
            if path == base or path.startswith(base + "/"):
                return base, path.removeprefix(base).strip("/")
        return "", ""

    def _note(self, verb: str) -> None:
        path = urlparse(self.path).path
        plural = re.search(r"/namespaces/ns/([a-z]+)(/[^/]+/log$)?", path)
        self.cluster.verbs.add((plural[1] + ("/log" if plural[2] else ""), verb) if plural else (path, verb))

    def do_GET(self) -> None:
        url = urlparse(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        single = not url.path.endswith(("pods", "pytorchjobs", "inferenceservices", "services"))
        self._note("get" if single else "watch" if query.get("watch") else "list")
        base, name = self._where()
        if self._down():
            return
        if base and name:
            found = self.cluster.kept[base].get(name)
            self._answer(200, found) if found else self._status(404, f'{base.rpartition("/")[2]} "{name}" not found')
        elif base or url.path == PODS or (url.path == JOBS and not query.get("watch")):
            kept = self.cluster.kept[base] if base else self.cluster.pods if url.path == PODS else self.cluster.jobs
            items = [
                each for each in list(kept.values()) if matches(each["metadata"]["labels"], query.get("labelSelector", ""))
            ]
            self._answer(200, {"kind": "List", "items": items})
        else:
            super().do_GET()

    def do_POST(self) -> None:
        self._note("create")
        base, _ = self._where()
        if not base:
            super().do_POST()
            return
        if self._down():
            return
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name, kept = body["metadata"]["name"], self.cluster.kept[base]
        if name in kept:
            self._status(409, f"{name} already exists")
            return
        body["metadata"]["resourceVersion"] = "1"
        self.cluster.change(lambda: kept.update({name: body}))
        self.cluster.writes.append(("create", base.rpartition("/")[2], name))
        self._answer(201, body)

    def do_PATCH(self) -> None:
        self._note("patch")
        base, name = self._where()
        if self._down():
            return
        strategic = base == CONFIG_MAPS  # of their fields no list is merged: it is the same
        assert self.headers["Content-Type"] == f"application/{'strategic-' if strategic else ''}merge-patch+json"
        patch, kept = json.loads(self.rfile.read(int(self.headers["Content-Length"]))), self.cluster.kept[base]
        if name not in kept:
            self._status(404, f"{name} not found")
            return
        version = kept[name]["metadata"]["resourceVersion"]
        if patch.get("metadata", {}).get("resourceVersion", version) != version:
            self._status(409, "the object has been modified")
            return
        changed = merged(kept[name], patch)
        changed["metadata"]["resourceVersion"] = str(int(version) + 1)
        self.cluster.change(lambda: kept.update({name: changed}))
        self.cluster.writes.append(("patch", base.rpartition("/")[2], name))
        self._answer(200, changed)

    def do_DELETE(self) -> None:
        self._note("delete")
        base, name = self._where()
        if not base:
            super().do_DELETE()
            return
        if self._down():
            return
        if name not in self.cluster.kept[base]:
            self._status(404, f"{name} not found")
            return
        self.cluster.change(lambda: self.cluster.kept[base].pop(name))
        self.cluster.writes.append(("delete", base.rpartition("/")[2], name))
        self._answer(200, {"kind": "Status", "status": "Success"})


@dataclass
class Pod:
    """A pod that the kubelet keeps."""

    name: str
    ip: str
    template: str
    arguments: list[str]
    stop: Callable[[], None] = lambda: None
    ended: float | None = None
    """When it was told to end."""


@dataclass
class Kubelet:
    """Keeps the pods of every InferenceService; `start(pod)` starts what runs in one and gives what stops it."""

    release: Release
    start: Callable[[Pod], Callable[[], None]]
    deaf: Callable[[Pod], bool] = lambda _pod: False
    """Pods that do not follow a change of their template."""
    pods: dict[str, list[Pod]] = field(default_factory=dict)
    most: dict[str, int] = field(default_factory=dict)
    """The most pods that ever held resources at a time, by InferenceService."""
    _halt: threading.Event = field(default_factory=threading.Event)
    _number: int = 1

    def run(self) -> None:
        while not self._halt.wait(0.05):
            for name in {*self.pods, *self.release.kept[INFERENCE]}:
                self._keep(name, self.release.kept[INFERENCE].get(name))

    @contextmanager
    def running(self) -> Iterator["Kubelet"]:
        thread = threading.Thread(target=self.run, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._halt.set()
            thread.join(10)
            for pod in [pod for pods in self.pods.values() for pod in pods]:
                pod.stop()

    def _keep(self, name: str, service: dict[str, Any] | None) -> None:
        pods = self.pods.setdefault(name, [])
        predictor = service["spec"]["predictor"] if service else {}
        stopped = service is None or (service["metadata"].get("annotations") or {}).get(STOP) == "true"
        count = 0 if stopped else predictor.get("minReplicas", 1)
        arguments = predictor["containers"][0]["args"] if service else []
        # KServe copies labels and annotations, all but its own stop annotation, into the pod template.
        metadata = service["metadata"] if service else {}
        notes = {key: value for key, value in (metadata.get("annotations") or {}).items() if key != STOP}
        template = json.dumps([notes, metadata.get("labels"), predictor.get("annotations"), arguments])
        for pod in [pod for pod in pods if pod.ended and time.monotonic() - pod.ended > 0.2]:
            pods.remove(pod)
            self.release.change(lambda pod=pod: self.release.pods.pop(pod.name, None))
        living = [pod for pod in pods if pod.ended is None]
        for pod in living[count:]:
            self._end(pod)
        living = living[:count]
        old = [pod for pod in pods if pod.template != template and not self.deaf(pod)]
        for pod in old:  # strategy Recreate: new ones come when all old ones are gone
            if pod.ended is None:
                self._end(pod)
        if not old and len(living) < count:  # of one template, nobody waits for a pod that is being ended
            pods.append(self._begin(name, predictor, template, arguments))
        self.most[name] = max(self.most.get(name, 0), len(pods))

    def _begin(self, name: str, predictor: dict[str, Any], template: str, arguments: list[str]) -> Pod:
        self._number += 1
        pod = Pod(f"{name}-predictor-{self._number}", f"127.0.0.{self._number}", template, arguments)
        body = {
            "metadata": {"name": pod.name, "namespace": "ns", "labels": dict(predictor["labels"])},
            "spec": {"containers": [{"name": "kserve-container"}]},
            "status": {"phase": "Running", "podIP": pod.ip},
        }
        self.release.change(lambda: self.release.pods.update({pod.name: body}))
        pod.stop = self.start(pod)
        return pod

    def _end(self, pod: Pod) -> None:
        pod.ended = time.monotonic()
        metadata = self.release.pods[pod.name]["metadata"]
        self.release.change(lambda: metadata.update(deletionTimestamp="2026-01-01T00:00:00Z"))
        pod.stop()


class _Model(model_control_pb2_grpc.ModelControlServiceServicer):
    def __init__(self, weights: str) -> None:
        self.weights = weights

    def GetModel(self, _request: Any, _context: grpc.ServicerContext) -> model_control_pb2.GetModelResponse:
        return model_control_pb2.GetModelResponse(weights=self.weights, ready=True)


def says_its_weights(
    port: int, version_of: Callable[[str], str] = lambda path: Path(path).name
) -> Callable[[Pod], Callable[[], None]]:
    """A pod that answers GetModel, and nothing else: its version is the last part of the path of its weights."""
    from concurrent import futures

    def start(pod: Pod) -> Callable[[], None]:
        path = pod.arguments[pod.arguments.index("--weights") + 1] if "--weights" in pod.arguments else "own"
        server = grpc.server(futures.ThreadPoolExecutor(2), options=[("grpc.so_reuseport", 0)])
        model_control_pb2_grpc.add_ModelControlServiceServicer_to_server(_Model(version_of(path)), server)
        assert server.add_insecure_port(f"{pod.ip}:{port}")
        server.start()
        return lambda: server.stop(0).wait()

    return start
