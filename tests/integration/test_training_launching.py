"""How ranks are started: accelerate's launch files, the right number of them, and who can reach their meeting point."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.utils import DistributedType
from tests.support.training_models import metric_rows, write_model, write_phase
from tests.support.training_services import ROOT, free_port
from torch.distributed import TCPStore
from torch.distributed.elastic.rendezvous import RendezvousParameters, rendezvous_handler_registry

from rdiverse.config import load_config
from rdiverse.training.errors import TrainingError
from rdiverse.training.launch import finished, launcher_from_environment, loopback
from rdiverse.training.launch.local import CPU_ENVIRONMENT
from rdiverse.training.train import build

LAUNCH_FILES = ROOT / "configs" / "accelerate"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("launching") / "model")


def listening(process: psutil.Process) -> set[str]:
    return {each.laddr.ip for each in process.connections() if each.status == psutil.CONN_LISTEN}


@pytest.mark.parametrize(
    ("gpus", "kind"), [(1, DistributedType.NO), (4, DistributedType.MULTI_GPU), (8, DistributedType.MULTI_GPU)]
)
def test_launch_files_are_what_accelerate_reads(gpus: int, kind: DistributedType) -> None:
    found = load_config_from_file(str(LAUNCH_FILES / f"gpus-{gpus}.yaml"))
    assert (found.num_processes, found.num_machines, found.distributed_type) == (gpus, 1, kind)
    assert found.mixed_precision == "no"
    assert not found.fsdp_config, "sharding is a setting of the training"


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("file", "processes"), [("gpus-1.yaml", 1), ("gpus-4.yaml", 2)])
def test_accelerate_launch_trains_a_phase_on_cpus_too(file: str, processes: int, model: Path, tmp_path: Path) -> None:
    phase = write_phase(tmp_path, model, steps=1, processes=processes, rows_per_forward=8)
    command = [
        sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(LAUNCH_FILES / file),
        "--num_processes", str(processes), "--main_process_port", str(free_port()), "-m", "rdiverse.training.worker",
    ]  # fmt: skip
    subprocess.run([*command, str(phase.save())], env=CPU_ENVIRONMENT | os.environ, check=True, timeout=250)
    result = finished(phase)
    assert result
    assert result.steps == 1
    assert metric_rows(phase)[0]["rollouts"] == 16


def test_more_or_fewer_ranks_than_configured_are_refused(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    phase = write_phase(tmp_path, model, processes=2, rows_per_forward=8)
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(TrainingError, match=r"training.processes = 2, but 4 were started"):
        build(phase, load_config(phase.config_path), lambda step, completions, answers: [])


def test_the_meeting_point_is_reached_from_this_machine_only() -> None:
    loopback.register()
    port = free_port()
    handler = rendezvous_handler_registry.create_handler(
        RendezvousParameters(loopback.BACKEND, f"127.0.0.1:{port}", "run", min_nodes=1, max_nodes=1)
    )
    before = listening(psutil.Process())
    found = handler.next_rendezvous()
    assert listening(psutil.Process()) | before == before | {"127.0.0.1"}
    assert (found.rank, found.world_size) == (0, 1)
    found.store.set("key", "value")
    assert TCPStore("127.0.0.1", port, is_master=False).get("run/key") == b"value"
    with pytest.raises(OSError, match="in use"):
        rendezvous_handler_registry.create_handler(
            RendezvousParameters(loopback.BACKEND, f"127.0.0.1:{port}", "other", min_nodes=1, max_nodes=1)
        ).next_rendezvous()


@pytest.mark.long
@pytest.mark.timeout(300)
def test_no_process_of_a_phase_listens_to_other_machines_or_leaves_a_directory(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    phase = write_phase(tmp_path, model, steps=40, processes=2, rows_per_forward=8)
    seen: dict[str, set[str]] = {}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            for process in psutil.Process().children(recursive=True):
                try:
                    name = next((part for part in process.cmdline() if part.startswith("rdiverse.training")), "")
                    seen.setdefault(name, set()).update(listening(process))
                except psutil.Error:
                    continue  # it has just ended

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        launcher_from_environment().run(phase)
    finally:
        done.set()
        watcher.join()
    assert not list(temporary.glob("torchelastic*"))
    assert seen["rdiverse.training.launch.torchrun_main"] == {"127.0.0.1"}
    assert set().union(*seen.values()) == {"127.0.0.1"}
