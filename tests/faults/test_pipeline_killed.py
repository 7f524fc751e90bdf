"""One iteration on a cluster in small, every kind of step killed in its middle and tried again, as Kubeflow would."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tests.support.cluster_api import INFERENCE, SERVICES, Kubelet, Pod, Release, serving_release, write_kubeconfig
from tests.support.cluster_target import coder, free_port, write_settings
from tests.support.diversity_servers import Lite, Service
from tests.support.local_run import LOCAL, SMALL, events, manifests

from rdiverse.config import dump_config, load_config
from rdiverse.diversity.client import DiversityClient
from rdiverse.diversity.client.types import Stats
from rdiverse.lm import weights
from rdiverse.lm.weights import resolve_resource
from rdiverse.selfplay.steps import RECORDED
from rdiverse.training.launch import Phase, PhaseResult
from rdiverse.training.launch.pytorchjob import PHASE_ANNOTATION

pytestmark = pytest.mark.timeout(400)


ONE_LOADS = threading.Lock()
"""Models are loaded one at a time in one process: the library that does it is not made for threads."""


def model_server(port: int) -> Callable[[Pod], Callable[[], None]]:
    """A pod that really serves, from a thread of this process."""
    from rdiverse.inference.server import started

    def start(pod: Pod) -> Callable[[], None]:
        role: Any = pod.arguments[1]
        path = Path(pod.arguments[pod.arguments.index("--weights") + 1]) if "--weights" in pod.arguments else None
        config = load_config(LOCAL)
        begun, state = threading.Event(), {}

        async def serve() -> None:
            state["loop"], state["stop"] = asyncio.get_running_loop(), asyncio.Event()
            begun.set()
            async with AsyncExitStack() as stack:
                with ONE_LOADS:
                    await stack.enter_async_context(started(role, config, f"{pod.ip}:{port}", 0, path))
                await state["stop"].wait()

        thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
        thread.start()
        begun.wait(10)

        def stop() -> None:
            if thread.is_alive():
                state["loop"].call_soon_threadsafe(state["stop"].set)
            thread.join(30)

        return stop

    return start


def operator(release: Release) -> Callable[[dict[str, Any]], None]:
    """Trains by copying: the weights are the base model's with a file more, so that their version is another."""

    def train(job: dict[str, Any]) -> None:
        name = job["metadata"]["name"]
        phase = Phase.load(Path(job["metadata"]["annotations"][PHASE_ANNOTATION]))
        release.pod(name, {"running": {}})
        release.logs[f"{name}-master-0"] = "step 1\n"
        release.condition(name, "Running")
        time.sleep(1)

        def write(folder: Path) -> None:
            for path in phase.model.iterdir():
                if path.name != weights.MANIFEST:
                    shutil.copy(path, folder)
            (folder / "trained.txt").write_text(f"{phase.role} {phase.iteration}\n")

        version = weights.publish(phase.output, write)
        PhaseResult(version, 1, {"startup": 0.1}, [{"p_map": 0.0, "p_rep": 0.1, "uncertainty": 0.2}], 0.0, 0).save(
            phase.result_path
        )
        release.condition(name, "Succeeded")

    return train


@dataclass
class Pipeline:
    """Starts steps one at a time, kills them when told to, and tries them again."""

    process: subprocess.Popen[str]
    folder: Path
    release: Release
    config: str
    diversity: str

    @property
    def root(self) -> Path:
        return self.folder / "workspace" / "runs" / "one"

    def memory(self) -> Stats:
        """What is committed."""
        with DiversityClient(self.diversity) as client:
            return client.get_stats("one")

    def _ask(self, step: str, arguments: list[Any], hang: str, reached: Path) -> int:
        request = {
            "step": step,
            "arguments": arguments,
            "hang": hang,
            "reached": str(reached),
            "log": str(self.folder / "steps.log"),
        }
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return int(json.loads(self.process.stdout.readline())["pid"])

    def _status(self) -> int:
        return int(json.loads(self.process.stdout.readline())["status"])

    def do(self, step: str, *arguments: Any) -> None:
        """Do a step to its end."""
        self._ask(step, list(arguments), "", self.folder / "never")
        status = self._status()
        assert status == 0, (self.folder / "steps.log").read_text()[-3000:]

    def kill(self, step: str, *arguments: Any) -> None:
        """Kill a step in its middle."""
        reached = self.folder / f"reached-{time.monotonic()}"
        pid = self._ask(step, list(arguments), step, reached)
        deadline = time.monotonic() + 90
        while not reached.exists():
            assert time.monotonic() < deadline, (self.folder / "steps.log").read_text()[-3000:]
            assert Path(f"/proc/{pid}").exists(), (self.folder / "steps.log").read_text()[-3000:]
            time.sleep(0.02)
        os.kill(pid, signal.SIGKILL)
        assert self._status() == -signal.SIGKILL


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    folder = tmp_path_factory.mktemp("cluster")
    port = free_port()
    benchmark = folder / "held-out.jsonl"
    questions = Path(resolve_resource("pkg:rdiverse.nano/benchmark.jsonl")).read_text().splitlines(keepends=True)
    benchmark.write_text("".join(questions[:40]))
    overrides = [*SMALL, "run_id=one", "iterations=1", f"evaluation.benchmarks=[{{name: nano, path: {benchmark}}}]"]
    release = Release()
    release.on_create = operator(release)
    coder_service = coder()
    release.put(coder_service)
    kubelet = Kubelet(release, model_server(port))
    with ExitStack() as stack:
        url = stack.enter_context(serving_release(release))
        stack.enter_context(kubelet.running())
        milvus = Lite(folder / "milvus")
        milvus.start()
        stack.callback(milvus.stop)
        milvus.wait_until_ready()
        # The coder's pods come and go: what leads to them is fixed in the real world by a headless Service.
        diversity = Service(
            folder / "diversity", milvus.uri, coder=f"ipv4:{','.join(f'127.0.0.{n}:{port}' for n in range(2, 40))}"
        )
        (folder / "diversity" / "config.yaml").write_text(dump_config(load_config(LOCAL, [f"workspace={folder}"])))
        diversity.start()
        stack.callback(diversity.stop)
        diversity.wait_until_ready()
        addresses = {"diversity": diversity.address, "coder": "elsewhere"}
        settings = write_settings(folder / "settings", folder / "workspace", server_port=port, addresses=addresses)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RDIVERSE_")}
        environment |= {
            "RDIVERSE_CLUSTER": str(settings),
            "RDIVERSE_PIPELINE_RUN": "run-1",
            "KUBECONFIG": str(write_kubeconfig(folder / "kubeconfig", url)),
            "OMP_NUM_THREADS": "1",
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.cluster_step"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        stack.callback(process.wait)
        stack.callback(process.kill)
        assert json.loads(process.stdout.readline()) == {"ready": True}
        yield Pipeline(process, folder, release, dump_config(load_config(LOCAL, overrides)), diversity.address)


def test_every_step_killed_in_its_middle_is_done_once(pipeline: Pipeline) -> None:
    release = pipeline.release
    root = str(pipeline.root)
    steps: list[tuple[str, list[Any]]] = [
        ("prepare", [pipeline.config, 1]),
        ("serve", [root, "solver", 0]),
        ("evaluate", [root, 0]),
        ("train", [root, "challenger", 1]),
        ("serve", [root, "challenger", 1]),
        ("propose", [root, 1]),
        ("label", [root, 1]),
        ("curate", [root, 1]),
        ("train", [root, "solver", 1]),
        ("serve", [root, "solver", 1]),
        ("evaluate", [root, 1]),
        ("report", [root]),
    ]
    revisions = []
    for step, arguments in steps:
        pipeline.kill(step, *arguments)
        if step == "curate":
            revisions.append(pipeline.memory())
        records = manifests(pipeline.root)
        pipeline.do(step, *arguments)
        if step in {"evaluate", "train", "propose", "label", "curate"}:
            assert len(manifests(pipeline.root)) == len(records) + 1, "the killed attempt left no record"

        # The pod may also have died after its work and before anybody heard of it.
        records, writes, jobs = manifests(pipeline.root), len(release.writes), len(release.created)
        pipeline.do(step, *arguments)
        assert manifests(pipeline.root) == records, f"{step} is not done twice"
        assert release.writes[writes:] == [], f"{step} changes nothing on the cluster when it is done"
        assert len(release.created) == jobs

    assert [pipeline.memory()] == revisions, "the retry committed nothing more"
    kept = [
        row for row in pq.read_table(pipeline.root / "iteration-01" / "curated.parquet").to_pylist() if row["status"] == "kept"
    ]
    assert sum(each.items for each in revisions[0].iterations) == len(kept) > 0
    assert [job["metadata"]["labels"]["rdiverse.dev/role"] for job in release.created] == ["challenger", "solver"]
    ended = [
        (event["step"], event["iteration"])
        for event in events(pipeline.root)
        if event["kind"] == "end" and "serve" not in event["step"]
    ]
    once = [each for each in ended if each[0] != "report"]
    assert len(once) == len(set(once)), "each step ended once"
    created = [write for write in release.writes if write[0] == "create"]
    assert len(created) == len(set(created)) == 4, "an InferenceService and a Service for each of two roles, once"
    summary = json.loads((pipeline.root / "summary.json").read_text())
    assert [row["iteration"] for row in summary["iterations"]] == [0, 1]
    assert {row["phase"] for row in summary["gpu_hours"]} == set(RECORDED)
    assert "GPU-hours" in (pipeline.root / "report.html").read_text()

    arguments = [pipeline.config, "SUCCEEDED", ""]
    pipeline.kill("finish", *arguments)
    pipeline.do("finish", *arguments)
    assert release.kept[SERVICES] == {}
    assert list(release.kept[INFERENCE]) == ["r-coder"]
    assert json.loads((pipeline.root / "status.json").read_text())["state"] == "SUCCEEDED"


def test_a_run_that_was_taken_over_is_left_to_the_newer_one(pipeline: Pipeline) -> None:
    (pipeline.root / "owner.json").write_text('{"pipeline_run": "run-2"}')
    with pytest.raises(AssertionError, match="pipeline run run-2 has taken this run over"):
        pipeline.do("evaluate", str(pipeline.root), 1)
    writes, status = list(pipeline.release.writes), (pipeline.root / "status.json").read_text()
    pipeline.do("finish", pipeline.config, "FAILED", "")
    assert pipeline.release.writes == writes
    assert (pipeline.root / "status.json").read_text() == status
