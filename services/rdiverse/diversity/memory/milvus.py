"""The memory in Milvus.

A ledger row a run says what is committed; items stand in one collection a run, one partition an attempt, so that no query
of one run can meet another's rows and no read meets rows of an attempt that did not succeed. Rows are written first, the
ledger that names them last.
"""

import json
import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdiverse.diversity.memory import milvus_rows as rows
from rdiverse.diversity.memory.ledger import (
    SCHEMA,
    Batch,
    Entry,
    IncompatibleError,
    Ledger,
    Record,
    UnknownRunError,
    committed,
    with_commit,
    with_deletion,
    with_rollback,
)
from rdiverse.diversity.memory.milvus_connection import Deadline, MilvusConnection
from rdiverse.diversity.memory.milvus_schema import create_ledgers, create_parts, create_store
from rdiverse.diversity.memory.protocol import Key, MemoryUnavailableError, Nearest, NotTheWriterError

_INSERT_BYTES = 8 * 2**20
_SEARCH_BYTES = 24 * 2**20
_SEARCH_QUERIES = 16_384
_LITE_CELLS = 7 * 2**20
"""Queries x items of one block of Milvus Lite, which holds their cosines at once: 28 MiB, which its allocator keeps."""
_LITE_QUERIES = 512
"""But no fewer queries than this in one search: each search first looks at every row."""
_KEYS_AT_ONCE = 500
_SUMS_KEPT = 4096


class MilvusMemory:
    """See Memory. One process may write, after `claim`."""

    def __init__(self, connection: MilvusConnection) -> None:
        self._connection = connection
        self._begun = self._prepared = False
        self._epoch = 0
        self._holder = secrets.token_hex(8)
        self._writing = threading.Lock()
        self._sums: OrderedDict[tuple[str, str], NDArray[np.float64]] = OrderedDict()
        self._newest: dict[str, int] = {}

    # Reads.

    def ping(self, seconds: float) -> None:
        """See Memory."""
        self._connection.probe()
        self._connection.call(seconds, "has_collection", collection_name=rows.LEDGERS)

    def ledgers(self, seconds: float) -> list[Ledger]:
        """See Memory."""
        found: dict[str, Ledger] = {}
        for ledger in self._read_ledgers("revision > 0", Deadline(seconds)):
            if ledger.run not in found or found[ledger.run].revision < ledger.revision:
                found[ledger.run] = ledger
        return [found[run] for run in sorted(found) if not found[run].deleted]

    def ledger(self, run: str, seconds: float) -> Ledger | None:
        """See Memory."""
        present = max(self._read_ledgers(f"run == {json.dumps(run)}", Deadline(seconds)), key=_revision, default=None)
        newest = self._newest.get(run, 0)
        if (present.revision if present else 0) < newest:
            raise MemoryUnavailableError("Milvus shows an older state than before")
        if present is not None:
            self._newest[run] = present.revision
        return present

    def nearest(self, ledger: Ledger, before: int, queries: NDArray[np.float32], k: int, seconds: float) -> Nearest:
        """See Memory."""
        deadline = Deadline(seconds)
        entries = ledger.before(before)
        held = sum(entry.items for entry in entries)
        if not held or not len(queries):
            return Nearest(np.zeros((len(queries), 0)), [[] for _ in queries])
        at_once = min(_SEARCH_QUERIES, max(1, _SEARCH_BYTES // (4 * ledger.dimension)))
        if self._connection.lite:
            at_once = min(at_once, max(_LITE_QUERIES, _LITE_CELLS // max(entry.items for entry in entries)))
        hits: list[list[dict[str, Any]]] = []
        for start in range(0, len(queries), at_once):
            hits += self._connection.on(
                rows.store_collection(ledger), deadline.left, "search", data=list(queries[start : start + at_once]),
                limit=min(k, held), partition_names=[rows.partition(entry) for entry in entries], output_fields=["pieces"],
                search_params={"metric_type": rows.METRIC}, consistency_level="Strong",
            )  # fmt: skip
        if any(len(found) != min(k, held) for found in hits):
            raise MemoryUnavailableError("Milvus found fewer items than are committed")
        cosines = np.array([[hit["distance"] for hit in found] for found in hits], dtype=np.float64)
        # Servers before 2.4 do not say what the primary key is called, and it is called id then.
        name = "key" if "key" in hits[0][0] else "id"
        return Nearest(np.clip(cosines, -1, 1), [[rows.key_of(hit[name]) for hit in found] for found in hits])

    def total(self, ledger: Ledger, before: int, seconds: float) -> tuple[NDArray[np.float64], int]:
        """See Memory."""
        deadline = Deadline(seconds)
        total = np.zeros(ledger.dimension)
        entries = ledger.before(before)
        for entry in entries:
            total += self._sum(ledger, entry, deadline)
        return total, sum(entry.items for entry in entries)

    def records(self, ledger: Ledger, keys: Sequence[Key], seconds: float) -> list[Record]:
        """See Memory."""
        deadline = Deadline(seconds)
        entries = {entry.iteration: entry for entry in ledger.entries}
        wanted = [rows.item_key(entries[key.iteration], key.index) for key in keys]
        fields = ["key", "share", "content", "pieces"]
        found = self._rows(rows.store_collection(ledger), wanted, fields, deadline)
        further = {
            name: [rows.text_key(ledger, entries[key.iteration], key.index, piece) for piece in range(1, found[name]["pieces"])]
            for name, key in zip(wanted, keys, strict=True)
        }
        parts = self._rows(rows.PARTS, [key for names in further.values() for key in names], ["key", "content"], deadline)
        return [rows.record_of(found[name], [parts[key]["content"] for key in further[name]]) for name in wanted]

    # Writes.

    def claim(self, seconds: float) -> None:
        """Become the writer: later claims end this one. Sweeps what dead attempts left. Raises NotTheWriterError."""
        deadline = Deadline(seconds)
        with self._writing:
            self._prepare(deadline)
            self._epoch = max(self._claims(deadline), default=0) + 1
            self._upsert(rows.LEDGERS, [rows.writer_row(self._epoch, self._holder)], deadline)
            self._check_writer(deadline)
            older = [rows.writer_row(epoch, "")["key"] for epoch in self._claims(deadline) if epoch < self._epoch]
            self._delete_keys(rows.LEDGERS, older, deadline)
            self._sweep(deadline)

    def keep_claim(self, seconds: float) -> None:
        """As `ping`. Raises NotTheWriterError when another process has become the writer."""
        self._connection.probe()
        self._check_writer(Deadline(seconds))

    def commit(self, run: str, batch: Batch, seconds: float) -> tuple[Ledger, bool]:
        """See Memory. Raises NotTheWriterError."""
        deadline = Deadline(seconds)
        with self._writing:
            self._prepare(deadline)
            present = self.ledger(run, deadline.small)
            if committed(present, run, batch.iteration, batch.digest) and present is not None:
                return present, True
            following = with_commit(present, run, batch, attempt=secrets.token_hex(3), store=secrets.token_hex(4))
            entry = following.entries[-1]
            self._write_rows(following, entry, batch, deadline)
            self._replace(present, following, deadline)
            self._keep_sum(following, entry, batch.vectors.sum(axis=0, dtype=np.float64))
            if present is not None and present.store != following.store:
                self._drop_store(present, deadline)
            return following, False

    def rollback(self, run: str, to_iteration: int, seconds: float) -> tuple[Ledger, list[int]]:
        """See Memory. Raises NotTheWriterError."""
        deadline = Deadline(seconds)
        with self._writing:
            present = self._alive(run, deadline)
            following = with_rollback(present, to_iteration)
            if following is not present:
                self._replace(present, following, deadline)
                self._drop_attempts(following, deadline)
            return following, [entry.iteration for entry in present.entries if entry.iteration > to_iteration]

    def delete(self, run: str, seconds: float) -> int:
        """See Memory. Raises NotTheWriterError."""
        deadline = Deadline(seconds)
        with self._writing:
            present = self._alive(run, deadline)
            self._replace(present, with_deletion(present), deadline)
            self._drop_store(present, deadline)
            return present.items

    # How.

    def _read_ledgers(self, condition: str, deadline: Deadline) -> list[Ledger]:
        if not self._begun:
            self._begun = self._connection.call(deadline.small, "has_collection", collection_name=rows.LEDGERS)
            if not self._begun:
                return []
        found = self._query(rows.LEDGERS, condition, ["run", "content"], deadline)
        return [Ledger.from_json(json.loads(row["content"])) for row in found if not row["run"].startswith(rows.CONTROL)]

    def _prepare(self, deadline: Deadline) -> None:
        if not self._prepared:
            create_ledgers(self._connection, deadline)
            create_parts(self._connection, deadline)
            self._check_version(deadline)
            self._prepared = True

    def _check_version(self, deadline: Deadline) -> None:
        found = self._query(rows.LEDGERS, f'run == "{rows.VERSION}"', ["revision"], deadline)
        if not found:
            self._upsert(rows.LEDGERS, [rows.version_row()], deadline)
        elif found[0]["revision"] != SCHEMA:
            raise IncompatibleError(
                f"the memory in Milvus has schema version {found[0]['revision']}, this server knows {SCHEMA}"
            )

    def _alive(self, run: str, deadline: Deadline) -> Ledger:
        present = self.ledger(run, deadline.small)
        if present is None or present.deleted:
            raise UnknownRunError(run)
        return present

    def _write_rows(self, ledger: Ledger, entry: Entry, batch: Batch, deadline: Deadline) -> None:
        collection = rows.store_collection(ledger)
        if len(ledger.entries) == 1:
            create_store(self._connection, collection, ledger.dimension, deadline)
        else:
            self._drop_attempts(replace(ledger, entries=ledger.entries[:-1]), deadline)
        name = rows.partition(entry)
        self._connection.call(deadline.left, "create_partition", collection_name=collection, partition_name=name)
        self._upsert(collection, rows.item_rows(entry, batch), deadline, partition=name)
        self._upsert(rows.PARTS, rows.part_rows(ledger, entry, batch), deadline)
        if self._connection.lite:
            # Rows that wait in its buffer are invisible while the buffer is written out.
            self._connection.call(deadline.left, "flush", collection_name=collection)

    def _replace(self, present: Ledger | None, following: Ledger, deadline: Deadline) -> None:
        """The moment at which a write happens."""
        self._check_writer(deadline)
        self._upsert(rows.LEDGERS, [rows.ledger_row(following)], deadline)
        self._newest[following.run] = following.revision
        if present is not None:
            self._delete_keys(rows.LEDGERS, [rows.ledger_key(present)], deadline)

    def _claims(self, deadline: Deadline) -> dict[int, str]:
        found = self._query(rows.LEDGERS, f'run == "{rows.WRITER}"', ["revision", "content"], deadline)
        return {row["revision"]: row["content"] for row in found}

    def _check_writer(self, deadline: Deadline) -> None:
        claims = self._claims(deadline)
        if not self._epoch or max(claims, default=0) != self._epoch or claims[self._epoch] != self._holder:
            raise NotTheWriterError("another process has become the writer of this memory")

    def _sweep(self, deadline: Deadline) -> None:
        """Drop what no ledger names: rows of attempts, runs and revisions that are gone."""
        ledgers = self._read_ledgers("revision > 0", deadline)
        newest: dict[str, Ledger] = {}
        for ledger in sorted(ledgers, key=_revision):
            newest[ledger.run] = ledger
        self._delete_keys(rows.LEDGERS, [rows.ledger_key(old) for old in ledgers if newest[old.run] is not old], deadline)
        alive = {rows.store_collection(ledger): ledger for ledger in newest.values() if not ledger.deleted and ledger.entries}
        for collection in self._connection.call(deadline.left, "list_collections"):
            if collection.startswith(rows.STORE_PREFIX) and collection not in alive:
                self._drop_collection(collection, deadline)
        for ledger in alive.values():
            self._drop_attempts(ledger, deadline)

    def _drop_attempts(self, ledger: Ledger, deadline: Deadline) -> None:
        """Drop the rows of attempts that the ledger does not name."""
        collection = rows.store_collection(ledger)
        named = {rows.partition(entry) for entry in ledger.entries}
        for name in self._connection.call(deadline.left, "list_partitions", collection_name=collection):
            if name.startswith("i") and name not in named:
                if not self._connection.lite:  # which has no such call, and needs none
                    self._connection.call(
                        deadline.left, "release_partitions", collection_name=collection, partition_names=[name]
                    )
                self._connection.call(deadline.left, "drop_partition", collection_name=collection, partition_name=name)
        attempts = json.dumps([entry.attempt for entry in ledger.entries])
        self._delete_where(rows.PARTS, f'store == "{ledger.store}" and attempt not in {attempts}', deadline)

    def _drop_store(self, ledger: Ledger, deadline: Deadline) -> None:
        self._drop_collection(rows.store_collection(ledger), deadline)
        self._delete_where(rows.PARTS, f'store == "{ledger.store}"', deadline)

    def _drop_collection(self, collection: str, deadline: Deadline) -> None:
        self._connection.forget(collection)
        self._connection.call(deadline.left, "drop_collection", collection_name=collection)

    def _sum(self, ledger: Ledger, entry: Entry, deadline: Deadline) -> NDArray[np.float64]:
        kept = self._sums.get((ledger.store, entry.attempt))
        if kept is None:
            keys = rows.sum_keys(ledger, entry)
            found = self._rows(rows.PARTS, keys, ["key", "content"], deadline)
            kept = self._keep_sum(ledger, entry, rows.sum_of([found[key]["content"] for key in keys]))
        return kept

    def _keep_sum(self, ledger: Ledger, entry: Entry, total: NDArray[np.float64]) -> NDArray[np.float64]:
        self._sums[ledger.store, entry.attempt] = total
        while len(self._sums) > _SUMS_KEPT:
            self._sums.popitem(last=False)
        return total

    def _query(self, collection: str, condition: str, fields: list[str], deadline: Deadline) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._connection.on(
            collection, deadline.small, "query", filter=condition, output_fields=fields, consistency_level="Strong"
        )
        return found

    def _rows(self, collection: str, keys: Sequence[str], fields: list[str], deadline: Deadline) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            condition = f"key in {json.dumps(keys[start : start + _KEYS_AT_ONCE])}"
            found |= {row["key"]: row for row in self._query(collection, condition, fields, deadline)}
        if any(key not in found for key in keys):
            raise MemoryUnavailableError("Milvus lacks rows that are committed")
        return found

    def _upsert(self, collection: str, entities: Iterable[dict[str, Any]], deadline: Deadline, partition: str = "") -> None:
        for chunk in _chunks(entities):
            self._connection.call(deadline.left, "upsert", collection_name=collection, data=chunk, partition_name=partition)

    def _delete_keys(self, collection: str, keys: Sequence[str], deadline: Deadline) -> None:
        if keys:
            self._connection.on(collection, deadline.left, "delete", ids=list(keys))

    def _delete_where(self, collection: str, condition: str, deadline: Deadline) -> None:
        self._connection.on(collection, deadline.left, "delete", filter=condition)


def _revision(ledger: Ledger) -> int:
    return ledger.revision


def _chunks(entities: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    chunk: list[dict[str, Any]] = []
    size = 0
    for entity in entities:
        weight = 4 * len(entity.get("vector", ())) + 4 * len(entity["content"]) + 200
        if chunk and size + weight > _INSERT_BYTES:
            yield chunk
            chunk, size = [], 0
        chunk.append(entity)
        size += weight
    if chunk:
        yield chunk
