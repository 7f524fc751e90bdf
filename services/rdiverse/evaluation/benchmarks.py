"""Test sets as questions with gold answers, read from JSON lines."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rdiverse.config import BenchmarkConfig
from rdiverse.evaluation.rows import read_item
from rdiverse.runs.weights import CheckpointError, resolve_resource


class BenchmarkError(ValueError):
    """A test set cannot be read; the text names the file, the line and the field."""


@dataclass(frozen=True)
class Item:
    """One question of a test set."""

    question: str
    """What the Solver is asked."""
    answer: str
    """The gold answer, as the set has it."""
    skill: str | None = None
    """The skill that it needs, where the set says so."""


@dataclass(frozen=True)
class Benchmark:
    """A named test set."""

    name: str
    items: tuple[Item, ...]


def load_benchmark(config: BenchmarkConfig) -> Benchmark:
    """Read a test set from a file of JSON lines. Raises BenchmarkError at the first row that is not one."""
    try:
        path = Path(resolve_resource(config.path))
        lines = path.read_text(encoding="utf-8").split("\n")
    except CheckpointError as error:
        raise BenchmarkError(f"benchmark {config.name}: {error}") from error
    except OSError as error:
        raise BenchmarkError(f"benchmark {config.name}: {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BenchmarkError(f"benchmark {config.name}: {path} is not UTF-8") from error
    return benchmark_of(
        config.name, (_parse(path, number, line) for number, line in enumerate(lines, 1) if line.strip()), str(path)
    )


def benchmark_of(name: str, rows: Iterable[Mapping[str, Any]], source: str) -> Benchmark:
    """Make a test set of rows with any of the known field names. Raises BenchmarkError, naming `source` and the row."""
    items = []
    for number, row in enumerate(rows, 1):
        try:
            question, answer, skill = read_item(row)
        except ValueError as error:
            raise BenchmarkError(f"benchmark {name}: {source}: row {number}: {error}") from error
        items.append(Item(question, answer, skill))
    if not items:
        raise BenchmarkError(f"benchmark {name}: {source}: holds no question")
    return Benchmark(name, tuple(items))


def _parse(path: Path, number: int, line: str) -> Mapping[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise BenchmarkError(f"{path}: line {number}: is not JSON: {error.msg}") from error
    if not isinstance(row, dict):
        raise BenchmarkError(f"{path}: line {number}: must be a JSON object, not a {type(row).__name__}")
    return row
