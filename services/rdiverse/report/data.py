"""What a run left in its folder, as the page needs it."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import yaml

from rdiverse.runs.folder import RunFolder
from rdiverse.runs.lines import read_lines

Row = dict[str, Any]


@dataclass(frozen=True)
class IterationData:
    """The tables of one iteration; empty for the base model, which proposes nothing."""

    t: int
    figures: Row
    """Its entry of summary.json."""
    evaluation: Row | None
    """None where the configuration names no benchmark."""
    questions: list[Row]
    labels: list[Row]
    curated: list[Row]
    """Without the vectors."""
    vectors: npt.NDArray[np.float32]
    """(kept questions with a vector, dimension), in the order of `kept`."""

    @cached_property
    def kept(self) -> list[Row]:
        """The questions that were kept, in the order of `vectors`."""
        return [row for row in self.curated if row["status"] == "kept"]


@dataclass(frozen=True)
class RunData:
    """A whole run."""

    summary: Row
    config: Row
    config_text: str
    metrics: list[Row]
    iterations: list[IterationData]


def read_run(run: RunFolder, unfinished: Row | None = None) -> RunData:
    """Read what the page shows; `unfinished` stands for the summary of a run that has not ended.

    Raises OSError or pyarrow.ArrowInvalid, naming the file, when one is missing or not whole.
    """
    summary = unfinished or json.loads(run.summary.read_text(encoding="utf-8"))
    config_text = run.config.read_text(encoding="utf-8")
    return RunData(
        summary=summary,
        config=yaml.safe_load(config_text),
        config_text=config_text,
        metrics=read_lines(run.metrics),
        iterations=[_read_iteration(run, figures) for figures in summary["iterations"]],
    )


def _read_iteration(run: RunFolder, figures: Row) -> IterationData:
    t = figures["iteration"]
    folder = run.iteration(t)
    evaluation = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    curated, vectors = _read_curated(folder / "curated.parquet") if t else ([], np.zeros((0, 0), np.float32))
    return IterationData(
        t=t,
        figures=figures,
        evaluation=evaluation if evaluation.get("benchmarks") else None,
        questions=pq.read_table(folder / "questions.parquet").to_pylist() if t else [],
        labels=pq.read_table(folder / "labels.parquet").to_pylist() if t else [],
        curated=curated,
        vectors=vectors,
    )


def _read_curated(path: Any) -> tuple[list[Row], npt.NDArray[np.float32]]:
    table = pq.read_table(path)
    rows = table.drop_columns(["vector"]).to_pylist()
    has = [row["status"] == "kept" for row in rows]
    count = sum(has)
    if not count:
        return rows, np.zeros((0, 0), np.float32)
    flat = table.column("vector").combine_chunks().filter(np.array(has)).flatten()
    return rows, np.asarray(flat, dtype=np.float32).reshape(count, -1)
