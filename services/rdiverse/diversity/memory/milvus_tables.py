"""Rows of Milvus, read and written in pieces that its calls can carry."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from more_itertools import constrained_batches
from numpy.typing import NDArray

from rdiverse.diversity.memory.milvus_connection import Deadline, MilvusConnection
from rdiverse.diversity.memory.milvus_rows import METRIC
from rdiverse.diversity.memory.protocol import MemoryUnavailableError

_INSERT_BYTES = 8 * 2**20
_KEYS_AT_ONCE = 500
_SEARCH_BYTES = 24 * 2**20
_SEARCH_QUERIES = 16_384
_LITE_CELLS = 7 * 2**20
"""Queries x items of one block of Milvus Lite, which holds their cosines at once: 28 MiB, which its allocator keeps."""
_LITE_QUERIES = 512
"""But no fewer queries than this in one search: each search first looks at every row."""

Row = dict[str, Any]


class Tables:
    """Every method raises MemoryUnavailableError when Milvus does not answer in time."""

    def __init__(self, connection: MilvusConnection) -> None:
        self._connection = connection

    def query(self, collection: str, condition: str, fields: list[str], deadline: Deadline) -> list[Row]:
        """The rows that fulfil a condition."""
        found: list[Row] = self._connection.call_loaded(
            collection, deadline.small_call, "query", filter=condition, output_fields=fields, consistency_level="Strong"
        )
        return found

    def rows(self, collection: str, keys: Sequence[str], fields: list[str], deadline: Deadline) -> dict[str, Row]:
        """The rows of these keys, all of which are committed."""
        found: dict[str, Row] = {}
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            condition = f"key in {json.dumps(keys[start : start + _KEYS_AT_ONCE])}"
            found |= {row["key"]: row for row in self.query(collection, condition, fields, deadline)}
        if any(key not in found for key in keys):
            raise MemoryUnavailableError("Milvus lacks rows that are committed")
        return found

    def search(
        self, collection: str, partitions: list[str], queries: NDArray[np.float32], limit: int, largest: int, deadline: Deadline
    ) -> list[list[Row]]:
        """The `limit` rows of these partitions nearest to each query (queries, dimension). `largest`: rows of one partition."""
        at_once = min(_SEARCH_QUERIES, max(1, _SEARCH_BYTES // (4 * queries.shape[1])))
        if self._connection.lite:
            at_once = min(at_once, max(_LITE_QUERIES, _LITE_CELLS // largest))
        hits: list[list[Row]] = []
        for start in range(0, len(queries), at_once):
            hits += self._connection.call_loaded(
                collection, deadline.remaining, "search", data=list(queries[start : start + at_once]), limit=limit,
                partition_names=partitions, output_fields=["pieces"], search_params={"metric_type": METRIC},
                consistency_level="Strong",
            )  # fmt: skip
        return hits

    def upsert(self, collection: str, entities: Iterable[Row], deadline: Deadline, partition: str = "") -> None:
        """Write rows. The same keys again overwrite: a call that is repeated does no harm."""
        for chunk in constrained_batches(entities, _INSERT_BYTES, get_len=_weight, strict=False):
            rows = list(chunk)
            self._connection.call(deadline.remaining, "upsert", collection_name=collection, data=rows, partition_name=partition)

    def delete_keys(self, collection: str, keys: Sequence[str], deadline: Deadline) -> None:
        """Drop the rows of these keys."""
        if keys:
            self._connection.call_loaded(collection, deadline.remaining, "delete", ids=list(keys))

    def delete_where(self, collection: str, condition: str, deadline: Deadline) -> None:
        """Drop the rows that fulfil a condition."""
        self._connection.call_loaded(collection, deadline.remaining, "delete", filter=condition)

    def add_partition(self, collection: str, name: str, deadline: Deadline) -> None:
        """Make a partition."""
        self._connection.call(deadline.remaining, "create_partition", collection_name=collection, partition_name=name)

    def drop_partitions(self, collection: str, named: set[str], deadline: Deadline) -> None:
        """Drop the attempts' partitions that are not among `named`."""
        for name in self._connection.call(deadline.remaining, "list_partitions", collection_name=collection):
            if name.startswith("i") and name not in named:
                if not self._connection.lite:  # which has no such call, and needs none
                    self._connection.call(
                        deadline.remaining, "release_partitions", collection_name=collection, partition_names=[name]
                    )
                self._connection.call(deadline.remaining, "drop_partition", collection_name=collection, partition_name=name)

    def drop_collection(self, collection: str, deadline: Deadline) -> None:
        """Drop a collection."""
        self._connection.forget(collection)
        self._connection.call(deadline.remaining, "drop_collection", collection_name=collection)

    def settle(self, collection: str, deadline: Deadline) -> None:
        """Have what was written readable for good: rows in Milvus Lite's buffer are invisible while it is written out."""
        if self._connection.lite:
            self._connection.call(deadline.remaining, "flush", collection_name=collection)


def _weight(entity: Row) -> int:
    return 4 * len(entity.get("vector", ())) + 4 * len(entity["content"]) + 200
