"""Looks at a server's pods: which are there, what each says of itself, and waits until that is as it should be."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rdiverse.inference.client import ModelControlClient, RpcFailure
from rdiverse.training.launch.pods import troubles
from rdiverse_pipelines.cluster.api import Api

PAUSE_SECONDS = 1.0
GET_MODEL_SECONDS = 5.0


@dataclass(frozen=True)
class ServerPods:
    """An InferenceService and how its pods are found and asked."""

    name: str
    """What errors call it."""
    selector: str
    """Of its pods, by our own labels."""
    port: int
    server_name: str
    """What the pods' certificate bears."""


@dataclass(frozen=True)
class Replica:
    """What is known of one pod."""

    pod: str
    weights: str
    """The version that it reports when it is ready; empty: it is not."""
    state: str
    """In words."""


def holding(api: Api, server: ServerPods) -> list[Any]:
    """The pods that hold resources, those that are being ended included."""
    return [pod for pod in api.pods(server.selector) if pod.status.phase not in {"Succeeded", "Failed"}]


def look(api: Api, server: ServerPods) -> list[Replica]:
    """Ask every pod that is there to stay which weights it serves."""
    pods = [pod for pod in api.pods(server.selector) if pod.metadata.deletion_timestamp is None]
    return [_ask(pod, server) for pod in pods if pod.status.phase not in {"Succeeded", "Failed"}]


def _ask(pod: Any, server: ServerPods) -> Replica:
    name, ip = pod.metadata.name, pod.status.pod_ip
    if not ip:
        return Replica(name, "", "; ".join(map(str, troubles([pod]))) or f"pod {name} has no address yet")
    host = f"[{ip}]" if ":" in ip else ip
    try:
        with ModelControlClient(f"{host}:{server.port}", server.server_name) as client:
            model = client.get_model(timeout=GET_MODEL_SECONDS)
    except RpcFailure as failure:
        return Replica(name, "", "; ".join(map(str, troubles([pod]))) or f"pod {name} does not answer: {failure}")
    if not model.ready:
        return Replica(name, "", f"pod {name} is not ready")
    return Replica(name, model.weights, f"pod {name} serves {model.weights}")


def wait_until_served(api: Api, server: ServerPods, count: int, weights: str | None, seconds: float) -> str | None:
    """Wait until there are exactly `count` replicas, each ready and, unless None, with these weights.

    Gives None, or in words how far it came within `seconds`.
    """

    def lacking() -> str:
        found = look(api, server)
        states = [replica.state for replica in found if not replica.weights or weights not in {None, replica.weights}]
        if len(found) == count and not states:
            return ""
        missing = [f"{count - len(found)} pods are not there"] if len(found) < count else []
        return f"{len(found) - len(states)} of {count} replicas after {seconds:.0f} s: " + "; ".join(
            [*states, *missing] or ["more pods than asked for"]
        )

    return _wait(lacking, seconds)


def wait_until_gone(api: Api, server: ServerPods, count: int, seconds: float) -> str | None:
    """Wait until at most `count` pods hold resources. Gives None, or in words who remains after `seconds`."""

    def too_many() -> str:
        names = [pod.metadata.name for pod in holding(api, server)]
        return f"{len(names)} pods instead of {count} after {seconds:.0f} s: {', '.join(names)}" if len(names) > count else ""

    return _wait(too_many, seconds)


def _wait(fault: Callable[[], str], seconds: float) -> str | None:
    """Wait until there is no fault. Gives None, or the fault that there was after `seconds`."""
    deadline = time.monotonic() + seconds
    while found := fault():
        if time.monotonic() >= deadline:
            return found
        time.sleep(min(PAUSE_SECONDS, max(deadline - time.monotonic(), 0)))
    return None
