"""vLLM's processes do not outlive the server that started them."""

import multiprocessing
import subprocess
import sys
import time
from pathlib import Path

import psutil

from rdiverse.inference.engines.vllm_process import end_with_parent

ROOT = Path(__file__).parents[2]


def child() -> None:
    end_with_parent()
    print(psutil.Process().pid, flush=True)
    time.sleep(60)


def parent() -> None:
    multiprocessing.get_context("spawn").Process(target=child).start()
    time.sleep(60)


def test_a_process_ends_with_the_one_that_started_it():
    code = f"from {__name__} import parent; parent()"
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as started:
        grandchild = psutil.Process(int(started.stdout.readline()))
        assert grandchild.is_running()
        started.kill()
        gone, _ = psutil.wait_procs([grandchild], timeout=5)
        assert gone or grandchild.status() == psutil.STATUS_ZOMBIE


def test_nothing_happens_in_a_process_that_nobody_started():
    end_with_parent()
    time.sleep(0.1)
