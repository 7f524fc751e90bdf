"""Made-up iterations for a memory, and the full scan that its searches are held against."""

import os

import numpy as np

from rdiverse.diversity.memory.ledger import IterationBatch, Record

SECONDS = 60.0
DIMENSION = 48
MILVUS_URI = os.environ.get("MILVUS_URI")
"""A real Milvus to test beside, or in place of, Milvus Lite."""


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def batch(
    iteration: int, items: int = 20, *, seed: int = 0, digest: str = "", vectors: np.ndarray | None = None
) -> IterationBatch:
    rng = np.random.default_rng([seed, iteration])
    found = unit(rng.normal(size=(items, DIMENSION))) if vectors is None else unit(vectors)
    records = [
        Record(f"question {iteration}.{index}", f"program {index}", str(index), index / 100) for index in range(len(found))
    ]
    return IterationBatch(iteration, digest or f"{iteration:064x}", "program", "encoder-1", found, records)


def commit(memory, run, *batches):
    ledger = None
    for each in batches:
        ledger, _ = memory.commit(run, each, SECONDS)
    return ledger


def queries(count: int = 30) -> np.ndarray:
    return unit(np.random.default_rng(99).normal(size=(count, DIMENSION)))


def full_scan(batches, before, wanted):
    seen = np.concatenate([each.vectors for each in batches if each.iteration < before]).astype(np.float64)
    return wanted.astype(np.float64) @ seen.T, seen
