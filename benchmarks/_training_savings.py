"""What each saving of a training step is worth: the seconds of a step with everything, and with one saving left out."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
ROUNDS = 2
"""Phases that each saving is left out of, interleaved with whole ones."""


def _every_prompt_read(model: Any, rows: Any) -> tuple[Any, Any, Any]:
    """As decoding._read_prompts, but a prompt that many rows share is read for each of them."""
    from rdiverse.lm.decoding import _prefill

    return _prefill(model, [row.prompt for row in rows])


SAVINGS: dict[str, tuple[dict[str, str | None], dict[str, Any]]] = {
    "nothing": ({}, {}),
    "one_thread": ({"OMP_NUM_THREADS": "2"}, {}),
    "allocator_settings": (dict.fromkeys(("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_")), {}),
    "length_sorting": ({}, {"training.chunks.ROWS": 1_000_000}),
    "prompt_sharing": ({}, {"lm.decoding._read_prompts": _every_prompt_read}),
    "dropping_finished_rows": ({}, {"lm.decoding._SHRINK_AT": 0.0}),
}
"""What is left out: environment (None: unset), and names in rdiverse with what stands in their place."""


def without_savings(folder: Path) -> dict[str, dict[str, float]]:
    """Medians of a step on one rank with each saving left out, and with none left out, in processes of their own."""
    from benchmarks._training_phase import medians

    from rdiverse.training.launch.local import CPU_ENVIRONMENT

    found: dict[str, list[dict[str, float]]] = {name: [] for name in SAVINGS}
    for number in range(ROUNDS):
        for name, (changes, _names) in SAVINGS.items():
            wanted = {**os.environ, **CPU_ENVIRONMENT, **changes}
            code = (
                f"from benchmarks._training_savings import left_out; left_out({name!r}, {str(folder / f'{name}-{number}')!r})"
            )
            done = subprocess.run(
                [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True,
                env={key: value for key, value in wanted.items() if value is not None},
            )  # fmt: skip
            found[name].append(json.loads(done.stdout.splitlines()[-1]))
    return {name: medians(rounds) for name, rounds in found.items()}


def left_out(name: str, folder: str) -> None:
    """Measure without the saving `name`, in this process, and print it."""
    import importlib

    import torch
    from benchmarks._training_phase import ours_seconds, phase_of

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    for where, value in SAVINGS[name][1].items():
        module, _, attribute = where.rpartition(".")
        setattr(importlib.import_module(f"rdiverse.{module}"), attribute, value)
    print(json.dumps(ours_seconds(*phase_of(Path(folder)))))
