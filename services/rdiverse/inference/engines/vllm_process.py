"""What runs in the processes that vLLM starts.

Nothing heavy is imported here: vLLM calls `end_with_parent` (as a plugin, named in pyproject.toml) before a model is loaded.
"""

import multiprocessing
import os
import threading
from typing import Any


def end_with_parent() -> None:
    """Let this process end as soon as the one that started it is gone. In a process that nobody started: nothing.

    vLLM's engine process waits for ever for a server that was killed, and holds its GPU's memory meanwhile.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent,), name="parent", daemon=True).start()


class WorkerExtension:
    """Methods that vLLM adds to its worker, to be called there by name."""

    model_runner: Any

    def zero_attention_cache(self) -> None:
        """Overwrite what earlier weights left in the cache of keys and values.

        Attention gives the unused end of a block no weight, but NaN times nothing is NaN: one trial of broken weights would
        spoil good ones.
        """
        for states in self.model_runner.kv_caches:
            states.zero_()


def _end_after(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)
