"""Steps of a run as pods of their own: a process that has imported everything forks one for each, and may be told to hang.

A hanging step has done what comes before its hang point and touches a file; whoever started it kills it then, as a node
that dies does.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

HANG_POINTS = {
    "prepare": ("rdiverse_pipelines.context.RunContext", "record_base", "before"),
    "serve": ("rdiverse_pipelines.cluster.serving", "wait_until_served", "before"),
    "train": ("rdiverse.training.launch.kubernetes.PyTorchJobLauncher", "_follow", "before"),
    "propose": ("rdiverse_pipelines.steps.propose", "write_table", "before"),
    "label": ("rdiverse_pipelines.steps.label", "write_table", "before"),
    "curate": ("rdiverse_pipelines.steps.curate", "_commit", "after"),
    "evaluate": ("rdiverse_pipelines.steps.evaluate", "write_json", "before"),
    "report": ("rdiverse_pipelines.steps.report", "write_report", "before"),
    "finish": ("rdiverse_pipelines.cluster.api.Api", "delete_service", "before"),
}
"""Step -> what is replaced, and on which side of it the step hangs."""


def main() -> None:
    """Fork a step for every line of standard input; say its process, then its exit status."""
    for module in ("cluster.target", "steps.prepare", "steps.train", "steps.evaluate", "steps.curate", "steps.label"):
        import_module(f"rdiverse_pipelines.{module}")
    for module in ("steps.propose", "steps.report", "steps.serve", "steps.finish"):
        import_module(f"rdiverse_pipelines.{module}")
    import kubernetes.client
    import kubernetes.watch  # noqa: F401

    _answer({"ready": True})
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            os._exit(_step(request))
        _answer({"pid": child})
        _, status = os.waitpid(child, 0)
        _answer({"status": os.waitstatus_to_exitcode(status)})


def _answer(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def _step(request: dict[str, Any]) -> int:
    from rdiverse_pipelines.cluster import replicas
    from rdiverse_pipelines.cluster.target import ClusterTarget
    from rdiverse_pipelines.steps import in_step

    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    replicas.PAUSE_SECONDS = 0.05
    ClusterTarget.address = _address  # type: ignore[method-assign]  # the stand-in has no DNS
    if request["hang"]:
        _hang(*HANG_POINTS[request["hang"]], Path(request["reached"]))
    try:
        with in_step():
            _body(request["step"])(*request["arguments"])
    except Exception:  # noqa: BLE001 - a step's failure is its exit status
        return 1
    return 0


def _body(step: str) -> Callable[..., Any]:
    from rdiverse.selfplay.roles import POLICY_ROLES, Role
    from rdiverse_pipelines.context import RunContext

    if step == "prepare":
        from rdiverse_pipelines.steps.prepare import prepare_from_text

        return prepare_from_text
    if step == "finish":
        from rdiverse_pipelines.steps.finish import finish

        return finish
    function = getattr(import_module(f"rdiverse_pipelines.steps.{step}"), {"serve": "serve_weights"}.get(step, step))
    return lambda root, *arguments: function(
        RunContext.open(root), *(Role(each) if each in POLICY_ROLES else each for each in arguments)
    )


def _address(self: Any, service: str) -> str:
    if service not in {"challenger", "solver"}:
        return str(getattr(self._cluster.addresses, service))
    from rdiverse_pipelines.cluster.objects import selector

    pods = self._api.pods(selector(self._objects.labels(service)))
    return "ipv4:" + ",".join(f"{pod.status.pod_ip}:{self._cluster.server_port}" for pod in pods)


def _hang(where: str, name: str, side: str, reached: Path) -> None:
    try:
        owner: Any = import_module(where)
    except ModuleNotFoundError:
        module, _, kind = where.rpartition(".")
        owner = getattr(import_module(module), kind)
    real = getattr(owner, name)

    def hanging(*arguments: Any, **named: Any) -> None:
        if side == "after":
            real(*arguments, **named)
        reached.touch()
        time.sleep(600)

    setattr(owner, name, hanging)


if __name__ == "__main__":
    main()
