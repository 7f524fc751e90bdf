"""The collections, made when they are missing."""

from typing import Any

from rdiverse.diversity.memory import milvus_rows as rows
from rdiverse.diversity.memory.ledger import SCHEMA, IncompatibleError
from rdiverse.diversity.memory.milvus_connection import Deadline, MilvusConnection
from rdiverse.diversity.memory.milvus_tables import Tables

_TEXT = 65_535
_NAME = 256


def create_ledgers(connection: MilvusConnection, deadline: Deadline) -> None:
    """The collection of ledgers."""
    if connection.call(deadline.small_call, "has_collection", collection_name=rows.LEDGERS):
        return
    from pymilvus import DataType

    fields = [("run", DataType.VARCHAR, _NAME), ("revision", DataType.INT64, 0), ("content", DataType.VARCHAR, _TEXT)]
    _create(connection, rows.LEDGERS, fields, ("nothing", 2), deadline)


def create_parts(connection: MilvusConnection, deadline: Deadline) -> None:
    """The collection of sums and long texts."""
    if connection.call(deadline.small_call, "has_collection", collection_name=rows.PARTS):
        return
    from pymilvus import DataType

    fields = [("store", DataType.VARCHAR, _NAME), ("attempt", DataType.VARCHAR, _NAME), ("content", DataType.VARCHAR, _TEXT)]
    _create(connection, rows.PARTS, fields, ("nothing", 2), deadline)


def create_store(connection: MilvusConnection, name: str, dimension: int, deadline: Deadline) -> None:
    """The collection of one run's items."""
    from pymilvus import DataType

    fields = [("share", DataType.DOUBLE, 0), ("content", DataType.VARCHAR, _TEXT), ("pieces", DataType.INT64, 0)]
    _create(connection, name, fields, ("vector", dimension), deadline)


def check_version(tables: Tables, deadline: Deadline) -> None:
    """Say which version of everything stored this is, where nothing says so yet. Raises IncompatibleError."""
    found = tables.query(rows.LEDGERS, f'run == "{rows.VERSION}"', ["revision"], deadline)
    if not found:
        tables.upsert(rows.LEDGERS, [rows.version_row()], deadline)
    elif found[0]["revision"] != SCHEMA:
        raise IncompatibleError(f"the memory in Milvus has schema version {found[0]['revision']}, this server knows {SCHEMA}")


def _create(
    connection: MilvusConnection, name: str, fields: list[tuple[str, Any, int]], vector: tuple[str, int], deadline: Deadline
) -> None:
    """An exact index: FLAT compares with every row. One shard, so that a write is one message."""
    from pymilvus import DataType, MilvusClient

    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("key", DataType.VARCHAR, is_primary=True, max_length=_NAME)
    schema.add_field(vector[0], DataType.FLOAT_VECTOR, dim=vector[1])
    for field, kind, length in fields:
        schema.add_field(field, kind, **({"max_length": length} if length else {}))
    index = MilvusClient.prepare_index_params()
    index.add_index(vector[0], index_type="FLAT", metric_type=rows.METRIC)
    connection.call(
        deadline.remaining, "create_collection", collection_name=name, schema=schema, index_params=index, num_shards=1,
        consistency_level="Strong",
    )  # fmt: skip
