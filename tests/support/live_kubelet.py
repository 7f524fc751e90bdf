"""Plays the node of a namespace whose pods no node takes: each becomes ready, and a server of models says what it serves."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from rdiverse_pipelines.cluster.api import Api, configured
from tests.support.cluster_api import Pod, says_its_weights
from tests.support.live_cluster import Space


def api(space: Space, account: str) -> Api:
    """The product's own access to the API, as a service account of the namespace."""
    configuration = configured()
    configuration.cert_file = configuration.key_file = None
    configuration.api_key = {"authorization": f"Bearer {space.kubectl('create', 'token', account).strip()}"}
    return Api(space.name, configuration)


@dataclass
class Kubelet:
    """Every pod answers GetModel on a loopback address of its own."""

    space: Space
    started: list[str] = field(default_factory=list)
    """Names of pods, in the order in which they began."""
    _stops: dict[str, Callable[[], None]] = field(default_factory=dict)
    _halt: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator["Kubelet"]:
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._halt.set()
            thread.join(30)
            for stop in self._stops.values():
                stop()

    def _run(self) -> None:
        core = Api(self.space.name).core_api
        while not self._halt.wait(0.3):
            pods = {pod.metadata.name: pod for pod in core.list_namespaced_pod(self.space.name).items}
            for name in set(self._stops) - set(pods):
                self._stops.pop(name)()
            for name in pods.keys() - self._stops.keys():
                with suppress(Exception):  # it has gone in between
                    self._begin(core, pods[name])

    def _begin(self, core: Any, pod: Any) -> None:
        name, [container, *_] = pod.metadata.name, pod.spec.containers
        number = len(self.started) + 1
        address = f"127.9.{number // 250}.{number % 250 + 1}"
        self._stops[name] = says_its_weights(9000)(Pod(name, address, "", container.args or []))
        self.started.append(name)
        conditions = [{"type": kind, "status": "True"} for kind in ("Ready", "ContainersReady", "PodScheduled")]
        status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "conditions": conditions}
        core.patch_namespaced_pod_status(name, self.space.name, {"status": status})
