"""What runs in the processes that vLLM starts.

Nothing heavy is imported here: vLLM calls it (as a plugin, named in pyproject.toml) before a model is loaded.
"""

import multiprocessing
import os
import threading


def end_with_parent() -> None:
    """Let this process end as soon as the one that started it is gone. In a process that nobody started: nothing.

    vLLM's engine process waits for ever for a server that was killed, and holds its GPU's memory meanwhile.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent,), name="parent", daemon=True).start()


def _end_after(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)
