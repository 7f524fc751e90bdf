"""The memory in Milvus.

rdiverse_ledgers                    what is committed, and who may write
  my-run/000000000003/65551           run/revision/claim: the Ledger as JSON, which names store 9f2c01ab and attempts
  ~writer/000000065551                the present writer's claim; the highest counts (`milvus_claim`)
  ~adopted/000000065551               ledgers written under lower claims are void
  ~schema                             version of everything stored
rdiverse_store_my_hrun_x9f2c01ab    the items of one life of one run: no query of one run meets another's rows
  partition i1_a1b2c3                 one for each attempt to commit an iteration; searches name those of the ledger
    1-a1b2c3-0                          unit vector (exact FLAT index, inner product), share, beginning of the texts
  partition i2_0badc0                 left by a writer that was killed: no ledger names it, so no read meets it
rdiverse_parts                      what fits into no item's row
  9f2c01ab/1/a1b2c3/sum/0             float64 sum of the iteration's vectors, in base64: S_mean without a scan
  9f2c01ab/1/a1b2c3/0/1               the texts of item 0, continued

Rows are written first and the ledger that names them last: that one row makes a write happen, or not at all.
"""

import json
import secrets
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rdiverse.diversity.memory import milvus_rows as rows
from rdiverse.diversity.memory.ledger import (
    Entry,
    IterationBatch,
    Ledger,
    Record,
    UnknownRunError,
    committed,
    with_commit,
    with_deletion,
    with_rollback,
)
from rdiverse.diversity.memory.milvus_claim import WriterClaim
from rdiverse.diversity.memory.milvus_connection import Deadline, MilvusConnection
from rdiverse.diversity.memory.milvus_schema import check_version, create_shared, create_store
from rdiverse.diversity.memory.milvus_tables import Tables
from rdiverse.diversity.memory.protocol import Key, MemoryUnavailableError, Nearest

_SUMS_KEPT = 4096


class MilvusMemory:
    """See Memory. One process may write, after `claim`."""

    def __init__(self, connection: MilvusConnection) -> None:
        self._connection = connection
        self._begun = self._prepared = False
        self._tables = Tables(connection)
        self._claim = WriterClaim(self._tables)
        self._writing = threading.Lock()
        self._sums: OrderedDict[tuple[str, str], NDArray[np.float64]] = OrderedDict()
        self._newest: dict[str, tuple[int, int]] = {}

    # Reads.

    def ping(self, seconds: float) -> None:
        """See Memory."""
        self._connection.probe()
        self._connection.call(seconds, "has_collection", collection_name=rows.LEDGERS)

    def ledgers(self, seconds: float) -> list[Ledger]:
        """See Memory."""
        found = self._newest_of(self._read_ledgers("revision > 0", Deadline(seconds)))
        return [found[run] for run in sorted(found) if not found[run].deleted]

    def ledger(self, run: str, seconds: float) -> Ledger | None:
        """See Memory."""
        present = max(self._read_ledgers(f"run == {json.dumps(run)}", Deadline(seconds)), key=_age, default=None)
        if (_age(present) if present else (0, 0)) < self._newest.get(run, (0, 0)):
            raise MemoryUnavailableError("Milvus shows an older state than before")
        if present is not None:
            self._newest[run] = _age(present)
        return present

    def nearest(self, ledger: Ledger, before: int, queries: NDArray[np.float32], k: int, seconds: float) -> Nearest:
        """See Memory."""
        deadline = Deadline(seconds)
        entries = ledger.before(before)
        held = sum(entry.items for entry in entries)
        if not held or not len(queries):
            return Nearest(np.zeros((len(queries), 0)), [[] for _ in queries])
        partitions = [rows.partition(entry) for entry in entries]
        largest = max(entry.items for entry in entries)
        hits = self._tables.search(rows.store_collection(ledger), partitions, queries, min(k, held), largest, deadline)
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
        found = self._tables.rows(rows.store_collection(ledger), wanted, fields, deadline)
        further = {
            name: [rows.text_key(ledger, entries[key.iteration], key.index, piece) for piece in range(1, found[name]["pieces"])]
            for name, key in zip(wanted, keys, strict=True)
        }
        parts = self._tables.rows(
            rows.PARTS, [key for names in further.values() for key in names], ["key", "content"], deadline
        )
        return [rows.record_of(found[name], [parts[key]["content"] for key in further[name]]) for name in wanted]

    # Writes.

    def claim(self, seconds: float) -> None:
        """Become the writer: later claims end this one. Sweeps what dead attempts left. Raises NotTheWriterError."""
        deadline = Deadline(seconds)
        with self._writing:
            self._prepare(deadline)
            self._claim.make(deadline)
            self._adopt(deadline)
            self._sweep(deadline)

    def keep_claim(self, seconds: float) -> None:
        """As `ping`. Raises NotTheWriterError when another process has become the writer."""
        self._connection.probe()
        self._claim.check(Deadline(seconds))

    def commit(self, run: str, batch: IterationBatch, seconds: float) -> tuple[Ledger, bool]:
        """See Memory. Raises NotTheWriterError."""
        deadline = Deadline(seconds)
        with self._writing:
            self._prepare(deadline)
            present = self.ledger(run, deadline.small_call)
            if committed(present, run, batch.iteration, batch.digest) and present is not None:
                return present, True
            following = with_commit(present, run, batch, attempt=secrets.token_hex(3), store=secrets.token_hex(4))
            entry = following.entries[-1]
            self._write_rows(following, entry, batch, deadline)
            following = self._replace(present, following, deadline)
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
                following = self._replace(present, following, deadline)
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
            self._begun = self._connection.call(deadline.small_call, "has_collection", collection_name=rows.LEDGERS)
            if not self._begun:
                return []
        ledgers, adopted = self._stored_ledgers(condition, deadline)
        return [ledger for ledger in ledgers if ledger.epoch >= adopted]

    def _stored_ledgers(self, condition: str, deadline: Deadline) -> tuple[list[Ledger], int]:
        """Ledgers of whichever writer, and the claim below which they do not count any more."""
        fields = ["run", "revision", "content"]
        found = self._tables.query(rows.LEDGERS, f'({condition}) or run == "{rows.ADOPTED}"', fields, deadline)
        adopted = max((row["revision"] for row in found if row["run"] == rows.ADOPTED), default=0)
        ledgers = [row["content"] for row in found if not row["run"].startswith(rows.CONTROL)]
        return [Ledger.from_json(json.loads(content)) for content in ledgers], adopted

    def _prepare(self, deadline: Deadline) -> None:
        if not self._prepared:
            create_shared(self._connection, deadline)
            check_version(self._tables, deadline)
            self._prepared = True

    def _alive(self, run: str, deadline: Deadline) -> Ledger:
        present = self.ledger(run, deadline.small_call)
        if present is None or present.deleted:
            raise UnknownRunError(run)
        return present

    def _write_rows(self, ledger: Ledger, entry: Entry, batch: IterationBatch, deadline: Deadline) -> None:
        collection = rows.store_collection(ledger)
        if len(ledger.entries) == 1:
            create_store(self._connection, collection, ledger.dimension, deadline)
        else:
            self._drop_attempts(replace(ledger, entries=ledger.entries[:-1]), deadline)
        name = rows.partition(entry)
        self._tables.add_partition(collection, name, deadline)
        self._tables.upsert(collection, rows.item_rows(entry, batch), deadline, partition=name)
        self._tables.upsert(rows.PARTS, rows.part_rows(ledger, entry, batch), deadline)
        self._tables.settle(collection, deadline)

    def _replace(self, present: Ledger | None, following: Ledger, deadline: Deadline) -> Ledger:
        """The moment at which a write happens. Gives the ledger as it was written."""
        self._claim.check(deadline)
        written = replace(following, epoch=self._claim.epoch)
        self._tables.upsert(rows.LEDGERS, [rows.ledger_row(written)], deadline)
        # Whoever lost his place in between must not say that it happened: his successor may not have seen it.
        self._claim.check(deadline)
        self._newest[written.run] = _age(written)
        if present is not None:
            self._tables.delete_keys(rows.LEDGERS, [rows.ledger_key(present)], deadline)
        return written

    def _adopt(self, deadline: Deadline) -> None:
        """Make the ledgers of earlier writers this one's, and then those void that they might still write.

        A writer that was stopped in the middle of a write may go on after this; what it names may be swept by then.
        """
        newest = self._newest_of(self._read_ledgers("revision > 0", deadline))
        epoch = self._claim.epoch
        self._tables.upsert(rows.LEDGERS, [rows.ledger_row(replace(old, epoch=epoch)) for old in newest.values()], deadline)
        self._tables.upsert(rows.LEDGERS, [rows.adopted_row(epoch)], deadline)

    def _newest_of(self, ledgers: Sequence[Ledger]) -> dict[str, Ledger]:
        return {ledger.run: ledger for ledger in sorted(ledgers, key=_age)}

    def _sweep(self, deadline: Deadline) -> None:
        """Drop what no ledger names: rows of attempts, runs, revisions and writers that are gone."""
        ledgers, adopted = self._stored_ledgers("revision > 0", deadline)
        newest = self._newest_of([ledger for ledger in ledgers if ledger.epoch >= adopted])
        old = [rows.ledger_key(ledger) for ledger in ledgers if newest.get(ledger.run) != ledger]
        self._tables.delete_keys(rows.LEDGERS, old, deadline)
        self._tables.delete_where(rows.LEDGERS, f'run == "{rows.ADOPTED}" and revision < {adopted}', deadline)
        alive = {rows.store_collection(ledger): ledger for ledger in newest.values() if not ledger.deleted and ledger.entries}
        for collection in self._connection.call(deadline.remaining, "list_collections"):
            if collection.startswith(rows.STORE_PREFIX) and collection not in alive:
                self._tables.drop_collection(collection, deadline)
        for ledger in alive.values():
            self._drop_attempts(ledger, deadline)

    def _drop_attempts(self, ledger: Ledger, deadline: Deadline) -> None:
        """Drop the rows of attempts that the ledger does not name."""
        collection = rows.store_collection(ledger)
        named = {rows.partition(entry) for entry in ledger.entries}
        self._tables.drop_partitions(collection, named, deadline)
        attempts = json.dumps([entry.attempt for entry in ledger.entries])
        self._tables.delete_where(rows.PARTS, f'store == "{ledger.store}" and attempt not in {attempts}', deadline)

    def _drop_store(self, ledger: Ledger, deadline: Deadline) -> None:
        self._tables.drop_collection(rows.store_collection(ledger), deadline)
        self._tables.delete_where(rows.PARTS, f'store == "{ledger.store}"', deadline)

    def _sum(self, ledger: Ledger, entry: Entry, deadline: Deadline) -> NDArray[np.float64]:
        kept = self._sums.get((ledger.store, entry.attempt))
        if kept is None:
            keys = rows.sum_keys(ledger, entry)
            found = self._tables.rows(rows.PARTS, keys, ["key", "content"], deadline)
            kept = self._keep_sum(ledger, entry, rows.sum_of([found[key]["content"] for key in keys]))
        return kept

    def _keep_sum(self, ledger: Ledger, entry: Entry, total: NDArray[np.float64]) -> NDArray[np.float64]:
        self._sums[ledger.store, entry.attempt] = total
        while len(self._sums) > _SUMS_KEPT:
            self._sums.popitem(last=False)
        return total


def _age(ledger: Ledger) -> tuple[int, int]:
    """What the later writer wrote is the newer."""
    return ledger.epoch, ledger.revision
