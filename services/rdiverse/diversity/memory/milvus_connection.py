"""One connection to a Milvus: made when needed, made again when it broke, and every call bounded in time."""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from rdiverse.diversity.memory.protocol import MemoryUnavailableError

URI_VARIABLE = "RDIVERSE_MILVUS_URI"
TOKEN_FILE_VARIABLE = "RDIVERSE_MILVUS_TOKEN_FILE"  # noqa: S105  the name of a variable
CA_FILE_VARIABLE = "RDIVERSE_MILVUS_CA_FILE"
SMALL_CALL_SECONDS = 20.0
"""For calls that move a few rows: a Milvus that needs longer is as good as gone. One that is gone is noticed sooner."""
_PROBE_SECONDS = 1.0
_DEFAULT_PORT = 19_530

T = TypeVar("T")


class Deadline:
    """What is left of a call's time."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def remaining(self) -> float:
        """Seconds left. Raises MemoryUnavailableError when there are none."""
        remaining = self._end - time.monotonic()
        if remaining <= 0:
            raise MemoryUnavailableError("no answer in time")
        return remaining

    @property
    def small_call(self) -> float:
        """Seconds for a small call."""
        return min(self.remaining, SMALL_CALL_SECONDS)


class MilvusConnection:
    """`uri` as in http://host:19530 or https://host:19530. The token file and the CA file are read at every connecting."""

    def __init__(self, uri: str, token_file: Path | None = None, ca_file: Path | None = None) -> None:
        self.uri = uri
        self._token_file = token_file
        self._ca_file = ca_file
        self._client: Any = None
        self._loaded: set[str] = set()
        self._lock = threading.Lock()
        self._doubtful = False
        self.lite = False
        """Whether it is Milvus Lite's server, known once connected."""

    @classmethod
    def from_environment(cls) -> "MilvusConnection":
        """The Milvus named by RDIVERSE_MILVUS_URI. Raises ValueError when none is named: there is nothing to fall back to."""
        uri = os.environ.get(URI_VARIABLE)
        if not uri:
            raise ValueError(
                f"{URI_VARIABLE} must be set: the diversity service keeps its memory in Milvus, as in http://127.0.0.1:19530"
            )
        if not uri.startswith(("http://", "https://")):
            raise ValueError(f"{URI_VARIABLE} = {uri!r}: must be http://host:port or https://host:port")
        token, ca = os.environ.get(TOKEN_FILE_VARIABLE), os.environ.get(CA_FILE_VARIABLE)
        return cls(uri, Path(token) if token else None, Path(ca) if ca else None)

    def call(self, seconds: float, method: str, **arguments: Any) -> Any:
        """Call a method of pymilvus' MilvusClient, once connected. Raises MemoryUnavailableError."""
        return self._guarded(seconds, lambda client: getattr(client, method)(timeout=seconds, **arguments))

    def call_loaded(self, collection: str, seconds: float, method: str, **arguments: Any) -> Any:
        """Call a method on a collection that has to be loaded, which a server that was restarted has not done by itself."""
        if collection not in self._loaded:
            self.call(seconds, "load_collection", collection_name=collection)
            self._loaded.add(collection)
        return self.call(seconds, method, collection_name=collection, **arguments)

    def probe(self) -> None:
        """Raise MemoryUnavailableError at once when nobody listens: pymilvus would try for all the time it is given."""
        parts = urlsplit(self.uri)
        try:
            with socket.create_connection((parts.hostname, parts.port or _DEFAULT_PORT), timeout=_PROBE_SECONDS):
                return
        except OSError as error:
            self._doubtful = True
            raise MemoryUnavailableError("Milvus cannot be reached") from error

    def forget(self, collection: str) -> None:
        """Say that a collection was dropped."""
        self._loaded.discard(collection)

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            if self._client is not None:
                self._client.close()
            self._client = None
            self._loaded.clear()

    def _guarded(self, seconds: float, call: Callable[[Any], T]) -> T:
        import grpc
        from pymilvus.exceptions import MilvusException

        if self._doubtful:
            self.probe()
        try:
            found = call(self._connected(seconds))
        except (MilvusException, grpc.RpcError, OSError) as error:
            self._loaded.clear()
            self._doubtful = True
            raise MemoryUnavailableError(_brief(error)) from error
        self._doubtful = False
        return found

    def _connected(self, seconds: float) -> Any:
        with self._lock:
            if self._client is None:
                self._client = self._connect(min(seconds, SMALL_CALL_SECONDS))
            return self._client

    def _connect(self, seconds: float) -> Any:
        # It logs every failure with a traceback; failures are raised here, and told once.
        logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
        from pymilvus import MilvusClient

        # pymilvus pings every ten seconds, which gRPC's servers take for an attack (GOAWAY, too_many_pings).
        grpc_options = {"grpc.keepalive_time_ms": 300_000, "grpc.max_reconnect_backoff_ms": 1000, "grpc.enable_http_proxy": 0}
        options: dict[str, Any] = {"grpc_options": grpc_options}
        if self._token_file is not None:
            options["token"] = self._token_file.read_text(encoding="utf-8").strip()
        if self.uri.startswith("https://"):
            options["secure"] = True
            if self._ca_file is not None:
                options["server_pem_path"] = str(self._ca_file)
        client = MilvusClient(uri=self.uri, timeout=seconds, dedicated=True, **options)
        # Real servers packed for Python call themselves "-lite" too.
        self.lite = str(client.get_server_version(timeout=seconds)).startswith("milvus_lite")
        return client


def _brief(error: Exception) -> str:
    """What went wrong in a line, without addresses or stacks: it may travel to callers."""
    code = getattr(error, "code", None)
    code = code() if callable(code) else code
    return f"Milvus does not serve this call ({type(error).__name__}, {getattr(code, 'name', code)})"
