"""How ledgers, sums and items look as rows of Milvus."""

import base64
import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdiverse.diversity.memory.ledger import SCHEMA, Entry, IterationBatch, Ledger, Record
from rdiverse.diversity.memory.protocol import Key

LEDGERS = "rdiverse_ledgers"
PARTS = "rdiverse_parts"
STORE_PREFIX = "rdiverse_store_"
CONTROL = "~"
"""Begins what stands in the place of a run's name in rows that are no ledgers; no run can be called so."""
WRITER = "~writer"
ADOPTED = "~adopted"
VERSION = "~schema"

METRIC = "IP"
"""Of unit vectors it is the cosine; Milvus Lite spends twice the time where it has to normalise."""

_PIECE = 16_000
"""Characters in a VARCHAR, whose bound is 65,535 bytes."""
_SUM_BYTES = 45_000
_NOTHING = [1.0, 0.0]
"""Every collection of Milvus needs a vector."""


def store_collection(ledger: Ledger) -> str:
    """Name of the collection that holds a run's items. Runs are named with [a-z0-9.-], which this maps one to one."""
    return STORE_PREFIX + ledger.run.replace("-", "_h").replace(".", "_d") + "_x" + ledger.store


def partition(entry: Entry) -> str:
    """Name of the partition that holds an attempt's rows."""
    return f"i{entry.iteration}_{entry.attempt}"


def item_key(entry: Entry, index: int) -> str:
    """Primary key of an item."""
    return f"{entry.iteration}-{entry.attempt}-{index}"


def key_of(row_key: str) -> Key:
    """The item that a primary key names."""
    iteration, _, index = row_key.split("-")
    return Key(int(iteration), int(index))


def ledger_key(ledger: Ledger) -> str:
    """Primary key of a ledger: one a revision and writer, so that no ledger overwrites another one."""
    return f"{ledger.run}/{ledger.revision:012d}" + (f"/{ledger.epoch}" if ledger.epoch else "")


def ledger_row(ledger: Ledger) -> dict[str, Any]:
    """A ledger as a row."""
    content = json.dumps(ledger.to_json(), separators=(",", ":"))
    return _row(ledger_key(ledger), ledger.run, ledger.revision, content)


def writer_row(epoch: int, holder: str) -> dict[str, Any]:
    """A claim to be the writer as a row."""
    return _row(f"{WRITER}/{epoch:012d}", WRITER, epoch, holder)


def adopted_row(epoch: int) -> dict[str, Any]:
    """The claim below which ledgers do not count any more, as a row."""
    return _row(f"{ADOPTED}/{epoch:012d}", ADOPTED, epoch)


def version_row() -> dict[str, Any]:
    """The version of everything stored, as a row."""
    return _row(VERSION, VERSION, SCHEMA)


def _row(key: str, run: str, revision: int, content: str = "") -> dict[str, Any]:
    return {"key": key, "run": run, "revision": revision, "content": content, "nothing": _NOTHING}


def item_rows(entry: Entry, batch: IterationBatch) -> Iterator[dict[str, Any]]:
    """The items of a batch as rows, the first piece of their texts with them."""
    for index, (record, vector) in enumerate(zip(batch.records, batch.vectors, strict=True)):
        pieces = _pieces(record)
        yield {
            "key": item_key(entry, index), "vector": vector, "share": float(record.share),
            "content": pieces[0], "pieces": len(pieces),
        }  # fmt: skip


def part_rows(ledger: Ledger, entry: Entry, batch: IterationBatch) -> Iterator[dict[str, Any]]:
    """The sum of a batch's vectors (float64, so that S_mean stays exact) and what does not fit into the items' rows."""
    total = batch.vectors.sum(axis=0, dtype=np.float64).astype("<f8").tobytes()
    for piece, start in enumerate(range(0, len(total), _SUM_BYTES)):
        yield _part(ledger, entry, sum_key(ledger, entry, piece), base64.b64encode(total[start : start + _SUM_BYTES]).decode())
    for index, record in enumerate(batch.records):
        for piece, text in enumerate(_pieces(record)[1:], start=1):
            yield _part(ledger, entry, text_key(ledger, entry, index, piece), text)


def sum_keys(ledger: Ledger, entry: Entry) -> list[str]:
    """Primary keys of the pieces of a sum."""
    return [sum_key(ledger, entry, piece) for piece in range(-(-ledger.dimension * 8 // _SUM_BYTES))]


def sum_of(contents: Sequence[str]) -> NDArray[np.float64]:
    """The sum (dimension,) from its pieces."""
    return np.frombuffer(b"".join(base64.b64decode(content) for content in contents), dtype="<f8").astype(np.float64)


def sum_key(ledger: Ledger, entry: Entry, piece: int) -> str:
    """Primary key of a piece of a sum."""
    return f"{ledger.store}/{entry.iteration}/{entry.attempt}/sum/{piece}"


def text_key(ledger: Ledger, entry: Entry, index: int, piece: int) -> str:
    """Primary key of a further piece of an item's texts."""
    return f"{ledger.store}/{entry.iteration}/{entry.attempt}/{index}/{piece}"


def record_of(row: dict[str, Any], further: Sequence[str]) -> Record:
    """An item from its row and the further pieces of its texts."""
    question, program, answer = json.loads(row["content"] + "".join(further))
    key = key_of(row["key"])
    return Record(question, program, answer, row["share"], key.iteration, key.index)


def _pieces(record: Record) -> list[str]:
    text = json.dumps([record.question, record.program, record.answer], ensure_ascii=False, separators=(",", ":"))
    return [text[start : start + _PIECE] for start in range(0, len(text), _PIECE)]


def _part(ledger: Ledger, entry: Entry, key: str, content: str) -> dict[str, Any]:
    return {"key": key, "store": ledger.store, "attempt": entry.attempt, "content": content, "nothing": _NOTHING}
