"""A pipe held by the parent: whoever watches it ends when the parent does, however the parent ended.

The pipe is a named one, so that grandchildren started by others (a pipeline's steps, torchrun's workers in their own
sessions) find it in the environment and need to inherit no descriptor.
"""

import os
import selectors
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

VARIABLE = "RDIVERSE_LIFELINE"


@contextmanager
def held_lifeline(path: Path, variable: str = VARIABLE) -> Iterator[dict[str, str]]:
    """Hold a lifeline open at `path`. Gives the environment that children need to watch it; closing it ends them."""
    path.unlink(missing_ok=True)
    os.mkfifo(path, 0o600)
    # Opening for both never blocks, and no byte is ever written.
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        yield {variable: str(path.resolve())}
    finally:
        os.close(fd)
        path.unlink(missing_ok=True)


def watch_lifeline(on_end: Callable[[], None] | None = None, variable: str = VARIABLE) -> None:
    """Watch the lifeline that an environment variable names from a daemon thread; do nothing when there is none.

    When the parent is gone `on_end` is called; without one the process exits at once with status 1.
    """
    path = os.environ.get(variable)
    if path:
        threading.Thread(target=_watch, args=(path, on_end), name="lifeline", daemon=True).start()


def _watch(path: str, on_end: Callable[[], None] | None) -> None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        _end(on_end)
        return
    with selectors.DefaultSelector() as selector:
        selector.register(fd, selectors.EVENT_READ)
        while not _closed(fd):
            selector.select()
    os.close(fd)
    _end(on_end)


def _closed(fd: int) -> bool:
    """Whether no writer is left. Reading an empty pipe that has one would block."""
    try:
        return os.read(fd, 1) == b""
    except BlockingIOError:
        return False


def _end(on_end: Callable[[], None] | None) -> None:
    if on_end is None:
        os._exit(1)
    on_end()
