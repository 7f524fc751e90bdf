"""The cluster that kubectl's current context names, and namespaces in it that a test made: it touches no other."""

import json
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")
Object = dict[str, Any]

COMINGS_AND_GOINGS = {"events", "events.events.k8s.io"}
"""Kinds that tell what happened: they stay for an hour, whoever they are about."""
SECONDS = 60.0
"""Controllers on a busy machine are given this long."""


class RefusedError(AssertionError):
    """The API server, a webhook or Helm said no; the text is theirs."""


def command(*words: str, given: str | None = None) -> str:
    """Standard output of a command. Raises RefusedError with what it says."""
    ran = subprocess.run(words, input=given, capture_output=True, text=True, check=False, timeout=180)
    if ran.returncode:
        raise RefusedError(f"{' '.join(words)}: {ran.stderr.strip()}")
    return ran.stdout


def current_context() -> str:
    """What kubectl talks to; empty: nothing."""
    with suppress(RefusedError, FileNotFoundError):
        return command("kubectl", "config", "current-context").strip()
    return ""


def until(asked: Callable[[], T], what: str, seconds: float = SECONDS) -> T:
    """What `asked` gives as soon as that is true. Fails with the last answer after `seconds`."""
    end = time.monotonic() + seconds
    while not (answer := asked()):
        assert time.monotonic() < end, f"{what}: not within {seconds:.0f} s; last seen: {answer!r}"
        time.sleep(0.3)
    return answer


@dataclass(frozen=True)
class Space:
    """A namespace of a test."""

    name: str

    def kubectl(self, *words: str, given: str | None = None) -> str:
        """Run kubectl in it."""
        return command("kubectl", "--namespace", self.name, *words, given=given)

    def helm(self, *words: str) -> str:
        """Run Helm in it."""
        return command("helm", "--namespace", self.name, *words)

    def listed(self, kind: str, selector: str = "") -> list[Object]:
        """Objects of one kind."""
        items: list[Object] = json.loads(self.kubectl("get", kind, "--selector", selector, "--output", "json"))["items"]
        return items

    def find(self, kind: str, name: str) -> Object | None:
        """One object, or None."""
        text = self.kubectl("get", kind, name, "--ignore-not-found", "--output", "json")
        found: Object | None = json.loads(text) if text else None
        return found

    def there(self, kind: str, name: str, seconds: float = SECONDS) -> Object:
        """One object, waited for."""
        return until(lambda: self.find(kind, name), f"{kind} {name} in {self.name}", seconds) or {}

    def send(self, found: Object, *words: str, account: str = "") -> Object:
        """Create an object, unknown fields refused, as a service account where one is named; gives it as kept."""
        who = ["--as", f"system:serviceaccount:{self.name}:{account}"] if account else []
        text = self.kubectl(
            "create", "--filename", "-", "--validate=strict", "--output", "json", *who, *words, given=json.dumps(found)
        )
        kept: Object = json.loads(text)
        return kept

    def play(self, pod: str, phase: str, *, ready: bool = False, exit_code: int | None = None, reason: str = "") -> None:
        """Say of a pod that no node has what a kubelet would."""
        conditions = [{"type": kind, "status": str(ready)} for kind in ("Ready", "ContainersReady")]
        [container] = (self.find("pods", pod) or {})["spec"]["containers"]
        state = {"running": {}} if exit_code is None else {"terminated": {"exitCode": exit_code, "reason": reason}}
        status = {
            "name": container["name"],
            "image": container["image"],
            "imageID": "",
            "ready": ready,
            "restartCount": 0,
            "state": state,
        }
        patch = {"status": {"phase": phase, "conditions": conditions, "containerStatuses": [status]}}
        self.kubectl("patch", "pod", pod, "--subresource", "status", "--type", "strategic", "--patch", json.dumps(patch))

    def bind(self, pod: str, node: str) -> None:
        """Give a pod to a node, as the scheduler does: from then on a kubelet has to end it."""
        target = {"apiVersion": "v1", "kind": "Node", "name": node}
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": pod, "namespace": self.name}, "target": target}
        path = f"/api/v1/namespaces/{self.name}/pods/{pod}/binding"
        self.kubectl("create", "--raw", path, "--filename", "-", given=json.dumps(binding))

    def everything(self) -> set[str]:
        """`kind/name` of all that it holds, of every kind that the API server knows."""
        kinds = ",".join(kind for kind in _listable() if kind not in COMINGS_AND_GOINGS)
        return set(self.kubectl("get", kinds, "--output", "name", "--ignore-not-found").split())

    def warnings(self) -> list[str]:
        """What controllers complained of; nobody here has Istio, which KServe misses at every reconcile."""
        events = self.listed("events")
        said = {f"{each['reason']}: {each['message']}" for each in events if each["type"] == "Warning"}
        return sorted(each for each in said if "VirtualService" not in each and "istio" not in each.lower())


@contextmanager
def namespace(level: str, prefix: str = "rdiverse-test") -> Iterator[Space]:
    """A new namespace whose pods must fit a Pod Security standard; deleted, and waited for, in the end."""
    space = Space(f"{prefix}-{uuid.uuid4().hex[:8]}")
    labels = {"pod-security.kubernetes.io/enforce": level, "rdiverse.dev/test": "true"}
    made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space.name, "labels": labels}}
    command("kubectl", "create", "--filename", "-", given=json.dumps(made))
    try:
        until(lambda: space.find("serviceaccount", "default"), "the namespace's default account")
        yield space
    finally:
        command("kubectl", "delete", "namespace", space.name, "--timeout", "120s")


@cache
def _listable() -> tuple[str, ...]:
    return tuple(command("kubectl", "api-resources", "--namespaced", "--verbs", "list", "--output", "name").split())
