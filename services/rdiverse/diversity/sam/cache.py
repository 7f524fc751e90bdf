"""What SAM made of a question, kept across restarts: a coder is asked once about a question."""

import hashlib
import logging
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdiverse.selfplay.programs import ProgramError, ProgramFault

log = logging.getLogger(__name__)

MAX_PROGRAMS = 2_000_000
MAX_VECTORS = 200_000
"""About 1.2 GB at 1,536 components."""
_KEYS_AT_ONCE = 500


def content_key(*parts: str) -> bytes:
    """Key of a result: what it was made from, each part counted apart."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.digest()


class SamCache:
    """Programs and vectors by content, in SQLite. Safe to use from several threads and processes.

    A damaged file is put aside and begun anew: everything in it can be made again.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        try:
            self._database = _open(path)
        except sqlite3.DatabaseError as error:
            log.warning("%s is damaged (%s); it is put aside and begun anew", path, error)
            path.replace(path.with_suffix(".damaged"))
            self._database = _open(path)

    def programs(self, keys: Sequence[bytes]) -> dict[bytes, str | ProgramError]:
        """Programs, or why there is none, by key, for those that are known."""
        found = self._read("program, failure", "programs", keys)
        return {key: program or _failure(failure) for key, program, failure in found}

    def vectors(self, keys: Sequence[bytes]) -> dict[bytes, NDArray[np.float32] | ProgramError]:
        """Unit vectors (dimension,) by key, for those that are known."""
        return {key: np.frombuffer(vector, dtype="<f4") for key, vector in self._read("vector", "vectors", keys)}

    def keep_programs(self, programs: Mapping[bytes, str | ProgramError]) -> None:
        """Remember programs, or why there is none, by key."""
        rows = [
            (key, "", f"{made.fault}:{made}") if isinstance(made, ProgramError) else (key, made, "")
            for key, made in programs.items()
        ]
        self._write("programs(key, program, failure) VALUES (?, ?, ?)", rows)
        self._forget("programs", MAX_PROGRAMS)

    def keep_vectors(self, vectors: Mapping[bytes, NDArray[np.float32] | ProgramError]) -> None:
        """Remember unit vectors (dimension,) by key; why there is none is found out again."""
        rows = [(key, made.astype("<f4").tobytes()) for key, made in vectors.items() if not isinstance(made, ProgramError)]
        self._write("vectors(key, vector) VALUES (?, ?)", rows)
        self._forget("vectors", MAX_VECTORS)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    def _read(self, columns: str, table: str, keys: Sequence[bytes]) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            some = keys[start : start + _KEYS_AT_ONCE]
            places = ",".join("?" * len(some))
            with self._lock:
                found += self._database.execute(
                    f"SELECT key, {columns} FROM {table} WHERE key IN ({places})",  # noqa: S608  only names from this file
                    some,
                ).fetchall()
        return found

    def _write(self, into: str, rows: Sequence[tuple[object, ...]]) -> None:
        if rows:
            with self._lock, self._database:
                self._database.executemany(f"INSERT OR REPLACE INTO {into}", rows)

    def _forget(self, table: str, most: int) -> None:
        """Drop the oldest rows; row numbers grow with time."""
        with self._lock, self._database:
            self._database.execute(
                f"DELETE FROM {table} WHERE rowid <= (SELECT max(rowid) FROM {table}) - ?",  # noqa: S608  as above
                (most,),
            )


def _failure(kept: str) -> ProgramError:
    fault, _, message = kept.partition(":")
    return ProgramError(message, ProgramFault(fault))


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=10, check_same_thread=False)
    database.execute("PRAGMA journal_mode = WAL")
    # A crash of the machine may lose the last results, which can be made again.
    database.execute("PRAGMA synchronous = NORMAL")
    with database:
        database.execute("CREATE TABLE IF NOT EXISTS programs(key BLOB UNIQUE, program TEXT, failure TEXT)")
        database.execute("CREATE TABLE IF NOT EXISTS vectors(key BLOB UNIQUE, vector BLOB)")
    return database
