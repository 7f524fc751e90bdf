"""Held-out benchmarks and honest scoring."""

from rdiverse.evaluation.ask import IncompleteError, WeightsChangedError
from rdiverse.evaluation.benchmarks import load_benchmark
from rdiverse.evaluation.evaluate import evaluate
from rdiverse.evaluation.figures import Evaluation
from rdiverse.evaluation.items import Benchmark, BenchmarkError, BenchmarkItem, Kind
from rdiverse.evaluation.store import StoreError

__all__ = [
    "Benchmark",
    "BenchmarkError",
    "BenchmarkItem",
    "Evaluation",
    "IncompleteError",
    "Kind",
    "StoreError",
    "WeightsChangedError",
    "evaluate",
    "load_benchmark",
]
