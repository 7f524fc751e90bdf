"""Bearer tokens: who may read or write which runs. The server's file holds only digests, and is read again when it changes.

- sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
  runs: ["team-a-*", "shared"]
  verbs: [read, write]
"""

import hashlib
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

import grpc
import grpc.aio

from rdiverse.grpcio_kit.errors import ServiceError
from rdiverse.grpcio_kit.handlers import Continuation
from rdiverse.v1.errors_pb2 import ErrorReason

TOKENS_VARIABLE = "RDIVERSE_TOKENS_FILE"
"""The server's list of tokens. Without it nobody is asked for one."""
TOKEN_VARIABLE = "RDIVERSE_TOKEN_FILE"  # noqa: S105  the name of a variable
"""The client's token."""

Verb = Literal["read", "write"]
_OPEN_SERVICES = ("/grpc.health.v1.Health/", "/grpc.reflection.")


class TokensFileError(ValueError):
    """The list of tokens is not one; the text says where."""


@dataclass(frozen=True)
class Scope:
    """What one token allows."""

    runs: tuple[str, ...]
    verbs: frozenset[str]

    def allows(self, run: str, verb: Verb) -> bool:
        """Whether a run may be read or written."""
        return verb in self.verbs and any(fnmatchcase(run, pattern) for pattern in self.runs)

    def check(self, run: str, verb: Verb) -> None:
        """Raise PERMISSION_DENIED unless a run may be read or written."""
        if not self.allows(run, verb):
            raise ServiceError(
                grpc.StatusCode.PERMISSION_DENIED, ErrorReason.ERROR_REASON_NOT_AUTHORIZED,
                f"the token must be allowed to {verb} run {run}",
            )  # fmt: skip


EVERYTHING = Scope(("*",), frozenset({"read", "write"}))
"""The scope of every caller where no tokens are asked for."""


class AccessTokens:
    """The server's list. A change that cannot be read leaves the list before it in force."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._stamp = self._now()
        self._scopes = _read(path)

    @classmethod
    def from_environment(cls) -> "AccessTokens | None":
        """The list named by RDIVERSE_TOKENS_FILE, None without one. Raises TokensFileError or OSError."""
        path = os.environ.get(TOKENS_VARIABLE)
        return cls(Path(path)) if path else None

    def scope(self, metadata: Iterable[Any] | None) -> Scope:
        """The scope of the token in a call's metadata. Raises UNAUTHENTICATED when there is none or an unknown one."""
        kind, _, token = str(dict(metadata or ()).get("authorization", "")).partition(" ")
        # Digests of a secret are compared: what the time of that tells is nothing about the token.
        scope = self._present().get(hashlib.sha256(token.strip().encode()).hexdigest()) if kind.lower() == "bearer" else None
        if scope is None:
            raise ServiceError(
                grpc.StatusCode.UNAUTHENTICATED,
                ErrorReason.ERROR_REASON_NOT_AUTHORIZED,
                "a known bearer token must be sent",
            )
        return scope

    def _present(self) -> Mapping[str, Scope]:
        with self._lock:
            stamp = self._now()
            if stamp and stamp != self._stamp:
                try:
                    self._scopes, self._stamp = _read(self._path), stamp
                except (TokensFileError, OSError):
                    return self._scopes  # in the middle of a change; looked at again at the next call
            return self._scopes

    def _now(self) -> tuple[int, int, int] | None:
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_ino, stat.st_size


class TokenInterceptor(grpc.aio.ServerInterceptor):
    """Turns callers without a known token away, health checks and reflection apart."""

    def __init__(self, tokens: AccessTokens) -> None:
        self._tokens = tokens

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """Check the call before its method is looked up, so that names cannot be probed."""
        if not handler_call_details.method.startswith(_OPEN_SERVICES):
            self._tokens.scope(handler_call_details.invocation_metadata)
        return await continuation(handler_call_details)


def client_metadata(path: Path | None = None) -> tuple[tuple[str, str], ...]:
    """What a client sends with every call: the token in `path`, else in RDIVERSE_TOKEN_FILE, else nothing.

    The file is read at every call, so that a rotated token is taken up. Raises OSError.
    """
    file = path or (Path(os.environ[TOKEN_VARIABLE]) if os.environ.get(TOKEN_VARIABLE) else None)
    return (("authorization", f"Bearer {file.read_text(encoding='utf-8').strip()}"),) if file else ()


def _read(path: Path) -> dict[str, Scope]:
    import yaml

    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8")) or []
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise TokensFileError(f"{path}: must be YAML") from error
    if not isinstance(entries, list):
        raise TokensFileError(f"{path}: must hold a list of tokens")
    return dict(_entry(path, number, entry) for number, entry in enumerate(entries))


def _entry(path: Path, number: int, entry: Any) -> tuple[str, Scope]:
    if not isinstance(entry, dict) or set(entry) != {"sha256", "runs", "verbs"}:
        raise TokensFileError(f"{path}: entry {number} must have sha256, runs and verbs")
    digest = str(entry["sha256"])
    if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
        raise TokensFileError(f"{path}: entry {number}: sha256 must be 64 hexadecimal characters in lower case")
    if not _texts(entry["runs"]) or not _texts(entry["verbs"]) or not set(entry["verbs"]) <= {"read", "write"}:
        raise TokensFileError(f"{path}: entry {number}: runs must be a list of patterns, verbs a list of read and write")
    return digest, Scope(tuple(entry["runs"]), frozenset(entry["verbs"]))


def _texts(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(one, str) for one in value)
