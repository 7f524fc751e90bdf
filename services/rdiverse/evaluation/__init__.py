"""Held-out benchmarks and honest scoring."""

from rdiverse.evaluation.benchmarks import Benchmark, BenchmarkError, Item, load_benchmark
from rdiverse.evaluation.evaluate import evaluate
from rdiverse.evaluation.figures import Evaluation

__all__ = ["Benchmark", "BenchmarkError", "Evaluation", "Item", "evaluate", "load_benchmark"]
