"""Held-out benchmarks and honest scoring."""

from rdiverse.evaluation.ask import IncompleteError, WrongWeightsError
from rdiverse.evaluation.benchmarks import load_benchmark
from rdiverse.evaluation.evaluate import evaluate
from rdiverse.evaluation.figures import Evaluation
from rdiverse.evaluation.items import Benchmark, BenchmarkError, Item, Kind
from rdiverse.evaluation.store import StoreError

__all__ = [
    "Benchmark",
    "BenchmarkError",
    "Evaluation",
    "IncompleteError",
    "Item",
    "Kind",
    "StoreError",
    "WrongWeightsError",
    "evaluate",
    "load_benchmark",
]
