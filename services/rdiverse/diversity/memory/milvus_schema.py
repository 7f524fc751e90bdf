"""The collections, made when they are missing."""

from rdiverse.diversity.memory import milvus_rows as rows
from rdiverse.diversity.memory.ledger import SCHEMA, IncompatibleError
from rdiverse.diversity.memory.milvus_connection import Deadline, MilvusConnection
from rdiverse.diversity.memory.milvus_tables import Tables

_NAME, _TEXT, _NUMBER = 256, 65_535, 0
"""Characters of a VARCHAR; none: a number."""
_SHARED = {
    rows.LEDGERS: {"run": ("VARCHAR", _NAME), "revision": ("INT64", _NUMBER), "content": ("VARCHAR", _TEXT)},
    rows.PARTS: {"store": ("VARCHAR", _NAME), "attempt": ("VARCHAR", _NAME), "content": ("VARCHAR", _TEXT)},
}
_STORE = {"share": ("DOUBLE", _NUMBER), "content": ("VARCHAR", _TEXT), "pieces": ("INT64", _NUMBER)}


def create_shared(connection: MilvusConnection, deadline: Deadline) -> None:
    """The collections that all runs share: ledgers, and what fits into no item's row."""
    for name, fields in _SHARED.items():
        if not connection.call(deadline.small_call, "has_collection", collection_name=name):
            _create(connection, name, fields, ("nothing", 2), deadline)


def create_store(connection: MilvusConnection, name: str, dimension: int, deadline: Deadline) -> None:
    """The collection of one run's items."""
    _create(connection, name, _STORE, ("vector", dimension), deadline)


def check_version(tables: Tables, deadline: Deadline) -> None:
    """Say which version of everything stored this is, where nothing says so yet. Raises IncompatibleError."""
    found = tables.query(rows.LEDGERS, f'run == "{rows.VERSION}"', ["revision"], deadline)
    if not found:
        tables.upsert(rows.LEDGERS, [rows.version_row()], deadline)
    elif found[0]["revision"] != SCHEMA:
        raise IncompatibleError(f"the memory in Milvus has schema version {found[0]['revision']}, this server knows {SCHEMA}")


def _create(
    connection: MilvusConnection, name: str, fields: dict[str, tuple[str, int]], vector: tuple[str, int], deadline: Deadline
) -> None:
    """An exact index: FLAT compares with every row. One shard, so that a write is one message."""
    from pymilvus import DataType, MilvusClient

    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("key", DataType.VARCHAR, is_primary=True, max_length=_NAME)
    schema.add_field(vector[0], DataType.FLOAT_VECTOR, dim=vector[1])
    for field, (kind, length) in fields.items():
        schema.add_field(field, DataType[kind], **({"max_length": length} if length else {}))
    index = MilvusClient.prepare_index_params()
    index.add_index(vector[0], index_type="FLAT", metric_type=rows.METRIC)
    connection.call(
        deadline.remaining, "create_collection", collection_name=name, schema=schema, index_params=index, num_shards=1,
        consistency_level="Strong",
    )  # fmt: skip
