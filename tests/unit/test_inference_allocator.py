"""Freed memory is kept: what was fetched from the system once is not fetched again."""

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import numpy as np
from rdiverse.inference.allocator import keep_freed_memory

if sys.argv[1] == "kept":
    keep_freed_memory()
for size in (40, 80):  # MiB: more than glibc keeps by itself
    np.ones(size * 2**17)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for size in (40, 80, 40, 80):
    np.ones(size * 2**17)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told")
def test_pages_are_fetched_once():
    kept, given_back = (
        int(subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True).stdout)
        for how in ("kept", "given back")
    )
    assert kept < given_back / 10
