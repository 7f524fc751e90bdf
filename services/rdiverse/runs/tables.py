"""The tables that steps hand on, as Parquet files with a fixed schema."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rdiverse.runs.files import written_aside

QUESTIONS = pa.schema(
    [
        pa.field("index", pa.int64(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("question", pa.string()),
        pa.field("answer", pa.string()),
        pa.field("finish_reason", pa.string(), nullable=False),
        pa.field("completion_tokens", pa.int32(), nullable=False),
        pa.field("weights", pa.string(), nullable=False),
    ]
)
"""Everything that the Challenger wrote; `question` and `answer` are null where it is malformed."""

LABELS = pa.schema(
    [
        pa.field("index", pa.int64(), nullable=False),
        pa.field("question", pa.string(), nullable=False),
        pa.field("answer", pa.string(), nullable=False),
        pa.field("share", pa.float64(), nullable=False),
        pa.field("votes", pa.int32(), nullable=False),
        pa.field("boxed", pa.int32(), nullable=False),
        pa.field("grader_timeouts", pa.int32(), nullable=False),
        pa.field("truth", pa.string()),
        pa.field("truth_agrees", pa.bool_()),
        pa.field("skill", pa.string()),
        pa.field("well_posed", pa.bool_()),
    ]
)
"""The Solver's votes. `answer` is empty where nothing was boxed; the last four are null without an oracle or a truth."""

CURATED = pa.schema(
    [
        pa.field("index", pa.int64(), nullable=False),
        pa.field("question", pa.string(), nullable=False),
        pa.field("answer", pa.string(), nullable=False),
        pa.field("share", pa.float64(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("failure", pa.string(), nullable=False),
        pa.field("program", pa.string()),
        pa.field("cluster", pa.int32()),
        pa.field("p_rep", pa.float64()),
        pa.field("s_max", pa.float64()),
        pa.field("s_mean", pa.float64()),
        pa.field("p_map", pa.float64()),
        pa.field("nearest_question", pa.string()),
        pa.field("nearest_iteration", pa.int32()),
        pa.field("vector", pa.list_(pa.float32())),
    ]
)
"""Every labelled question: `status` is kept, below-band, above-band or no-program; measures only for those in the band."""

DATASET = pa.schema(
    [
        pa.field("question", pa.string(), nullable=False),
        pa.field("answer", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("iteration", pa.int32(), nullable=False),
        pa.field("share", pa.float64(), nullable=False),
    ]
)
"""What the Solver is trained on; `source` is new or replay."""


def write_table(path: Path, schema: pa.Schema, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows, whole or not at all. Raises pyarrow.ArrowInvalid for a row that the schema does not allow."""
    table = pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
    with written_aside(path) as aside:
        pq.write_table(table, aside)


def read_table(path: Path) -> list[dict[str, Any]]:
    """Read every row. Raises OSError or pyarrow.ArrowInvalid when the file is missing or not whole."""
    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return rows
