"""Reads test sets from files of JSON lines or from the Hugging Face hub."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rdiverse.config import BenchmarkConfig
from rdiverse.evaluation.items import Benchmark, BenchmarkError, Kind
from rdiverse.evaluation.known import HUB_SCHEME, KNOWN
from rdiverse.evaluation.rows import read_item
from rdiverse.lm.weights import CheckpointError, resolve_resource


def load_benchmark(config: BenchmarkConfig) -> Benchmark:
    """Read a test set: a file of JSON lines, pkg:<package>/<path>, or hub:<one of the ten known names>.

    A set with the name of a known one is graded as that one is. Raises BenchmarkError at the first row that is not one.
    """
    if config.path.startswith(HUB_SCHEME):
        known = config.path.removeprefix(HUB_SCHEME)
        return benchmark_of(config.name, _from_hub(config.name, known), config.path, KNOWN[known].kind)
    kind = KNOWN[config.name].kind if config.name in KNOWN else Kind.MATH
    try:
        path = Path(resolve_resource(config.path))
    except CheckpointError as error:
        raise BenchmarkError(f"benchmark {config.name}: {error}") from error
    return benchmark_of(config.name, _from_file(config.name, path), str(path), kind)


def benchmark_of(name: str, rows: Iterable[Mapping[str, Any]], source: str, kind: Kind = Kind.MATH) -> Benchmark:
    """Make a test set of rows with any of the known field names. Raises BenchmarkError, naming `source` and the row."""
    items = []
    for number, row in enumerate(rows, 1):
        try:
            items.append(read_item(row, kind))
        except ValueError as error:
            raise BenchmarkError(f"benchmark {name}: {source}: row {number}: {error}") from error
    if not items:
        raise BenchmarkError(f"benchmark {name}: {source}: must hold at least one question")
    return Benchmark(name, tuple(items))


def _from_file(name: str, path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        # Not splitlines(): texts may hold other separators that JSON does not escape.
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise BenchmarkError(f"benchmark {name}: {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BenchmarkError(f"benchmark {name}: {path} is not UTF-8") from error
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _parsed(name, path, number, line)


def _parsed(name: str, path: Path, number: int, line: str) -> Mapping[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise BenchmarkError(f"benchmark {name}: {path}: line {number}: is not JSON: {error.msg}") from error
    if not isinstance(row, dict):
        raise BenchmarkError(f"benchmark {name}: {path}: line {number}: must be a JSON object, is a {type(row).__name__}")
    return row


def _from_hub(name: str, known: str) -> Iterable[Mapping[str, Any]]:
    if known not in KNOWN:
        raise BenchmarkError(f"benchmark {name}: {HUB_SCHEME}{known} is not one of {', '.join(KNOWN)}")
    from datasets import load_dataset

    where = KNOWN[known]
    try:
        rows: Iterable[Mapping[str, Any]] = load_dataset(where.dataset, where.config, split=where.split)
    except (OSError, ValueError) as error:
        raise BenchmarkError(f"benchmark {name}: {where.dataset} cannot be had from the hub: {error}") from error
    return rows
