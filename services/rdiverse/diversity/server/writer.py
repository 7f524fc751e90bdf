"""One process writes to a memory: on one machine by a lock, between machines by its claim in the memory (`milvus_claim`)."""

import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from rdiverse.runs.lock import RunBusyError, locked

WRITER_VARIABLE = "RDIVERSE_DIVERSITY_WRITER_ADDRESS"
"""Address of the writer, for a server that is a read replica."""
_PATIENCE_SECONDS = 5.0
"""A writer that was killed a moment ago may still be on its way out."""


class WriterBusyError(RuntimeError):
    """Another process on this machine is the writer of this memory."""


@contextmanager
def writer_lock(uri: str) -> Iterator[None]:
    """Hold this machine's lock on the Milvus at `uri`. Raises WriterBusyError when another process keeps it.

    It keeps two writers of one machine apart at once; between machines the memory itself tells the older writer that
    it is none any more (`milvus_claim.WriterClaim`).
    """
    path = _lock_path(uri)
    end = time.monotonic() + _PATIENCE_SECONDS
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(locked(path))
                break
            except RunBusyError as error:
                if time.monotonic() > end:
                    raise WriterBusyError(
                        f"another process on this machine writes to the memory at {uri}; start this one as a read replica by"
                        f" setting {WRITER_VARIABLE}"
                    ) from error
                time.sleep(0.1)
        yield


def _lock_path(uri: str) -> Path:
    parts = urlsplit(uri)
    host = "127.0.0.1" if parts.hostname in ("localhost", "::1") else parts.hostname
    name = hashlib.sha256(f"{host}:{parts.port}".encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"rdiverse-{os.getuid()}" / f"writer-{name}.lock"
