"""Follows rank 0's log into the phase's own log file."""

import threading
from pathlib import Path
from typing import Any

from rdiverse.training.launch.api_errors import api_errors

PAUSE_SECONDS = 2.0


class PodLog:
    """Copies a container's log to a file while it grows. A broken connection goes on where it stopped."""

    def __init__(self, core_api: Any, namespace: str, pod: str, container: str, path: Path) -> None:
        self._core_api = core_api
        self._where = {"name": pod, "namespace": namespace, "container": container}
        self._path = path
        self._copied = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="pod-log", daemon=True)

    def start(self) -> None:
        """Begin to follow; the pod need not exist yet."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._thread.start()

    def finish(self) -> None:
        """Stop following, then copy what the log holds beyond that."""
        self._stop.set()
        self._thread.join(PAUSE_SECONDS)
        if not self._thread.is_alive():
            self._copy(follow=False)

    def lines(self) -> list[str]:
        """What was copied by this object."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(-self._copied, 2)
            return file.read().decode(errors="replace").splitlines()

    def _follow(self) -> None:
        while not self._stop.is_set():
            self._copy(follow=True)
            self._stop.wait(PAUSE_SECONDS)

    def _copy(self, follow: bool) -> None:
        try:
            # The whole log each time: the API can start at a time, but not at a byte.
            response = self._core_api.read_namespaced_pod_log(**self._where, follow=follow, _preload_content=False)
            skipped = 0
            with self._path.open("ab", buffering=0) as file:
                for chunk in response.stream(amt=None, decode_content=False):
                    if self._stop.is_set() and follow:
                        return
                    fresh = chunk[max(0, min(len(chunk), self._copied - skipped)) :]
                    skipped += len(chunk) - len(fresh)
                    file.write(fresh)
                    self._copied += len(fresh)
                    skipped += len(fresh)
        except api_errors():
            return  # no pod yet, no log yet, or no server: asked again
