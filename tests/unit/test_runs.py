"""Files are whole or absent; a step is done once; a lost file is an error, never fewer data."""

import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rdiverse.lm.weights import CheckpointError, publish, resolve_resource, validate, weights_version
from rdiverse.runs.events import Event, EventLog, EventTail
from rdiverse.runs.files import write_json, written_aside
from rdiverse.runs.folder import RunFolder
from rdiverse.runs.lifeline import held_lifeline
from rdiverse.runs.lock import RunBusyError, locked
from rdiverse.runs.manifest import Outcome, StepError, do_step, read_record
from rdiverse.runs.ports import PortsExhaustedError, free_ports
from rdiverse.runs.tables import DATASET, read_table, write_table


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    folder = RunFolder.of(tmp_path, "a-run")
    folder.root.mkdir(parents=True)
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write_words(folder: RunFolder, words: str = "some words") -> Outcome:
    path = folder.iteration(1) / "words.txt"
    with written_aside(path) as aside:
        aside.write_text(words)
    return Outcome((path,), {"count": len(words.split())})


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path: Path):
    path = tmp_path / "value.json"
    write_json(path, [1])
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, float("nan"))
    assert json.loads(path.read_text()) == [1]
    assert names(tmp_path) == ["value.json"]


def test_a_step_is_done_once_and_then_skipped(run: RunFolder):
    first = do_step(run, "write", 1, {"model": "m1"}, lambda: write_words(run))
    again = do_step(run, "write", 1, {"model": "m1"}, lambda: pytest.fail("done twice"))
    assert again == first == read_record(run, "write", 1)
    assert first.results == {"count": 2}
    assert [event.kind for event in _events(run)] == ["start", "end", "skip"]


def test_a_step_that_fails_has_not_finished(run: RunFolder):
    def fail() -> Outcome:
        raise StepError("no disk")

    with pytest.raises(StepError):
        do_step(run, "write", 1, {}, fail)
    assert read_record(run, "write", 1) is None


@pytest.mark.parametrize("damage", ["truncate", "remove"])
def test_a_lost_output_stops_the_run_with_its_name(run: RunFolder, damage: str):
    record = do_step(run, "write", 1, {}, lambda: write_words(run))
    path = run.root / next(iter(record.outputs))
    path.write_text("some") if damage == "truncate" else path.unlink()
    with pytest.raises(StepError, match=str(path)):
        do_step(run, "write", 1, {}, lambda: pytest.fail("must not be redone silently"))


def test_a_step_done_from_other_inputs_is_refused(run: RunFolder):
    do_step(run, "write", 1, {"model": "m1", "seed": "1"}, lambda: write_words(run))
    with pytest.raises(StepError, match=r"other inputs \(model\)"):
        do_step(run, "write", 1, {"model": "m2", "seed": "1"}, lambda: write_words(run))


def test_an_unreadable_manifest_is_named(run: RunFolder):
    path = run.manifest(1, "write")
    path.parent.mkdir(parents=True)
    path.write_text('{"step": "wri')
    with pytest.raises(StepError, match=str(path)):
        read_record(run, "write", 1)


def test_a_tail_gives_each_whole_line_once(run: RunFolder):
    log, tail = EventLog(run.events), EventTail(run.events)
    assert list(tail) == []
    log.write(Event("label", 1, "start"))
    with run.events.open("a") as file:
        file.write('{"step": "label", "iter')
    assert [event.kind for event in tail] == ["start"]
    with run.events.open("a") as file:
        file.write('ation": 1, "kind": "end"}\n')
    assert [event.kind for event in tail] == ["end"]
    assert list(tail) == []


def test_a_table_keeps_hostile_text_and_refuses_a_missing_field(tmp_path: Path):
    row = {"question": "a\x00b <script>\u202e 你好", "answer": "$(rm -rf /)", "source": "new", "iteration": 1, "share": 0.5}
    path = tmp_path / "t.parquet"
    write_table(path, DATASET, [row])
    assert read_table(path) == [row]
    with pytest.raises(ValueError, match="null"):
        write_table(path, DATASET, [row | {"answer": None}])


def test_two_commands_never_work_in_one_folder(run: RunFolder):
    code = "import sys, time; from pathlib import Path; from rdiverse.runs.lock import locked\n"
    code += "with locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", code, str(run.lock)], stdout=subprocess.PIPE)
    holder.stdout.readline()
    with pytest.raises(RunBusyError, match=str(holder.pid)), locked(run.lock):
        pass
    holder.kill()
    holder.wait()
    with locked(run.lock):
        pass


WATCHER = """
import os, sys, time
from rdiverse.runs.lifeline import watch_lifeline
watch_lifeline()
print("watching", flush=True)
time.sleep(60)
"""


def hold_and_wait(path: str, pids: "multiprocessing.Queue[int]") -> None:
    """Hold a lifeline, start a watcher that is a grandchild in a session of its own, and wait to be killed."""
    with held_lifeline(Path(path)) as environment:
        watcher = subprocess.Popen(
            [sys.executable, "-c", WATCHER], env=os.environ | environment, stdout=subprocess.PIPE, start_new_session=True
        )
        watcher.stdout.readline()
        pids.put(watcher.pid)
        time.sleep(60)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_whoever_watches_the_lifeline_ends_with_its_holder(tmp_path: Path, how: signal.Signals):
    context = multiprocessing.get_context("spawn")
    pids = context.Queue()
    holder = context.Process(target=hold_and_wait, args=(str(tmp_path / "lifeline"), pids))
    holder.start()
    watcher = pids.get(timeout=30)
    os.kill(watcher, 0)
    os.kill(holder.pid, how)
    holder.join()
    _until_gone(watcher, 5)


def test_a_watcher_that_comes_too_late_ends_at_once(tmp_path: Path):
    environment = os.environ | {"RDIVERSE_LIFELINE": str(tmp_path / "gone")}
    assert subprocess.run([sys.executable, "-c", WATCHER], env=environment, timeout=20, check=False).returncode == 1


def _until_gone(pid: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            # A killed orphan may linger as a zombie until its reaper comes; it runs no more.
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return
        except FileNotFoundError:
            return
        time.sleep(0.05)
    pytest.fail(f"process {pid} lives on")


def write_model(folder: Path) -> None:
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")


def test_a_published_checkpoint_is_valid_and_named_by_its_content(tmp_path: Path):
    version = publish(tmp_path / "a", write_model)
    assert validate(tmp_path / "a") == version == weights_version(tmp_path / "a") == publish(tmp_path / "b", write_model)
    assert names(tmp_path) == ["a", "b"]


def test_a_checkpoint_half_written_is_never_seen(tmp_path: Path):
    def die(folder: Path) -> None:
        write_model(folder)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        publish(tmp_path / "a", die)
    assert not (tmp_path / "a").exists()
    publish(tmp_path / "a", write_model)
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "model.safetensors").write_bytes(b"weigh"), "model.safetensors: its content"),
        (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors: is missing"),
        (lambda folder: (folder / "config.json").unlink(), "config.json is missing"),
        (
            lambda folder: (folder / "model.safetensors.index.json").write_text('{"weight_map": {"x": "part-2.safetensors"}}'),
            "part-2.safetensors: is missing",
        ),
        (lambda folder: (folder / "model.safetensors.index.json").write_text("{}"), "is not a safetensors index"),
    ],
)
def test_a_damaged_checkpoint_is_refused_by_name(tmp_path: Path, damage, said: str):
    publish(tmp_path / "a", write_model)
    damage(tmp_path / "a")
    with pytest.raises(CheckpointError, match=said):
        validate(tmp_path / "a")


def test_package_resources():
    assert Path(resolve_resource("pkg:rdiverse/py.typed")).is_file()
    assert resolve_resource("some/hub-id") == "some/hub-id"
    with pytest.raises(CheckpointError, match="no Python package 'nowhere'"):
        resolve_resource("pkg:nowhere/x")
    with pytest.raises(CheckpointError, match="does not exist"):
        resolve_resource("pkg:rdiverse/x")


def test_ports_are_such_as_no_connection_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    systems_own = tmp_path / "ip_local_port_range"
    systems_own.write_text("12000\t60999\n")
    monkeypatch.setattr("rdiverse.runs.ports._SYSTEMS_OWN", systems_own)
    ports = free_ports(200, None)
    assert len(set(ports)) == 200
    assert all(10_000 <= port < 12_000 for port in ports)
    assert ports != free_ports(200, None), "two runs that begin together look at different ones"
    systems_own.write_text("1024\t65535\n")
    assert len(free_ports(10, None)) == 10, "where the system takes nearly all there still are some"


def test_ports_of_a_range_are_those_that_nobody_listens_on():
    with socket.create_server(("127.0.0.1", 0)) as one:
        taken = one.getsockname()[1]
        assert taken not in free_ports(1, (taken, taken + 20))
        with pytest.raises(PortsExhaustedError, match="0 of the 1 ports needed are free"):
            free_ports(1, (taken, taken))


def _events(run: RunFolder) -> list[Event]:
    return [Event(**json.loads(line)) for line in run.events.read_text().splitlines()]
