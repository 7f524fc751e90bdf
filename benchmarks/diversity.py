"""What diversity costs: our penalties against R-Zero's BLEU, and the service against the arithmetic it cannot avoid.

Everything goes through the real service and Milvus Lite's server. RDIVERSE_BENCH_FULL=1 computes BLEU over all pairs
(eight minutes) where otherwise a sample of the questions stands for them, scaled by the number of pairs.
"""

import os
import random
import re
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray
from tests.support.diversity_servers import Lite, Service, running

from rdiverse.diversity.client import DiversityClient, Item
from rdiverse.diversity.memory.milvus import MilvusMemory
from rdiverse.diversity.memory.milvus_connection import MilvusConnection
from rdiverse.diversity.sam.embedder import Embedded, Origin
from rdiverse.diversity.scoring.penalties import mean_cosines
from rdiverse.selfplay.repetition import cluster

DIMENSION = 1536
BATCH = 2048
GROWTH_BATCH = 512
ITERATIONS = (1000, 9000, 10_000, 30_000, 50_000)
"""Items committed by each iteration, so that `before_iteration` chooses how large a memory is seen."""
LARGER = (50_000, 50_000)
"""Committed as well where there is memory for them."""
LARGER_NEEDS_BYTES = 14 * 2**30
COMMITTED = 8000
BLEU_SAMPLE = 384
REPEATS = 3
SEED = 0
RUN = "bench"
_SECONDS = 60.0

Vectors = NDArray[np.float32]


def measure() -> dict[str, Any]:
    """The figures by name; times in seconds, sizes in MiB."""
    rng = np.random.default_rng(SEED)
    threads = {"OMP_NUM_THREADS": str(os.cpu_count())}
    with tempfile.TemporaryDirectory() as name:
        lite = Lite(Path(name), environment=threads)
        service = Service(Path(name), lite.uri, environment=threads)
        with running(lite, service), DiversityClient(service.address) as client:
            return _measured(rng, lite, service, client)


def _measured(rng: np.random.Generator, lite: Lite, service: Service, client: DiversityClient) -> dict[str, Any]:
    assert lite.process is not None  # noqa: S101
    assert service.process is not None  # noqa: S101
    store, server = psutil.Process(lite.process.pid), psutil.Process(service.process.pid)
    empty = store.memory_info().rss
    committed = _seconds(lambda: client.commit("commit", 1, _items(_unit(rng, COMMITTED))))
    client.delete_run("commit")
    held, seen = [], 0
    sizes = ITERATIONS + (LARGER if psutil.virtual_memory().available > LARGER_NEEDS_BYTES else ())
    growth = {}
    batch = _unit(rng, BATCH)
    for iteration, size in enumerate(sizes, start=1):
        vectors = _unit(rng, size)
        held.append(vectors)
        seen += size
        client.commit(RUN, iteration, _items(vectors))
        few = _items(batch[:GROWTH_BATCH])
        growth[str(seen)] = _typical(lambda few=few, iteration=iteration: client.score(RUN, few, iteration + 1))  # type: ignore[misc]
        if seen == 20_000:
            ours = _cpu([server, store], lambda iteration=iteration: client.score(RUN, _items(batch), iteration + 1))  # type: ignore[misc]
        if seen == 100_000:
            against = _against_arithmetic(service, client, held, batch, iteration + 1)
            resident = store.memory_info().rss - empty
            mean_small, mean_large = _mean_growth(lite, batch, 2, iteration + 1)
    bleu = _bleu_cpu_seconds()
    return {
        "cpu_ratio_vs_bleu": bleu / ours,
        "cpu_seconds_ours": ours,
        "cpu_seconds_bleu": bleu,
        "bleu_pairs_measured": BATCH if _full() else BLEU_SAMPLE,
        **against,
        "mean_cost_growth": mean_large / mean_small,
        "mean_seconds_2048": {"1000": mean_small, "100000": mean_large},
        "growth_seconds_512": growth,
        "commit_items_per_second": COMMITTED / committed,
        "memory_mib_per_100k_items": resident / 2**20,
        "raw_mib_per_100k_items": 100_000 * DIMENSION * 4 / 2**20,
        "service_rss_mib": server.memory_info().rss / 2**20,
        "cores": os.cpu_count(),
    }


def _against_arithmetic(
    service: Service, client: DiversityClient, held: list[Vectors], batch: Vectors, before: int
) -> dict[str, float]:
    """Score of the whole batch, the search within it and numpy's product, in turn, so that all meet the same machine."""
    scored, searched, multiplied = [], [], []
    items = _items(batch)
    for _ in range(REPEATS):
        begin = _search_seconds(service)
        scored.append(_seconds(lambda: client.score(RUN, items, before)))
        searched.append(_search_seconds(service) - begin)
        multiplied.append(_seconds(lambda: _product_and_max(held, batch)))
    score, search, product = map(statistics.median, (scored, searched, multiplied))
    return {
        "service_overhead": (score - search) / search,
        "search_vs_matmul": search / product,
        "score_seconds_2048_100k": score,
        "search_seconds_2048_100k": search,
        "matmul_seconds_2048_100k": product,
    }


def _product_and_max(held: list[Vectors], batch: Vectors) -> Vectors:
    """S_max as numpy computes it in float32, in blocks."""
    best = np.full(len(batch), -1, dtype=np.float32)
    for vectors in held:
        for start in range(0, len(vectors), 10_000):
            best = np.maximum(best, (batch @ vectors[start : start + 10_000].T).max(axis=1))
    return best


def _mean_growth(lite: Lite, batch: Vectors, small: int, large: int) -> tuple[float, float]:
    """Seconds of the service's own S_mean over a memory seen before iteration `small` and before `large`, in turn."""
    connection = MilvusConnection(lite.uri)
    memory = MilvusMemory(connection)
    ledger = memory.ledger(RUN, _SECONDS)
    assert ledger is not None  # noqa: S101
    embedded = [Embedded(vector, Origin.VECTOR) for vector in batch]

    def means(before: int) -> None:
        total, count = memory.total(ledger, before, _SECONDS)
        mean_cosines(embedded, total, count)

    seconds: dict[int, list[float]] = {small: [], large: []}
    for _ in range(51):
        for before, found in seconds.items():
            found.append(_seconds(lambda before=before: means(before)))  # type: ignore[misc]
    connection.close()
    return statistics.median(seconds[small]), statistics.median(seconds[large])


def _bleu_cpu_seconds() -> float:
    """R-Zero's penalty: nltk's sentence BLEU of every pair, then the same clustering."""
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

    texts = [text.split() for text in _questions(random.Random(SEED))]  # noqa: S311
    sample = texts if _full() else texts[:BLEU_SAMPLE]
    smooth = SmoothingFunction().method1
    distances = np.zeros((BATCH, BATCH))
    begin = time.process_time()
    for i, one in enumerate(sample):
        for j, other in enumerate(sample[i + 1 :], start=i + 1):
            distances[i, j] = distances[j, i] = 1 - sentence_bleu([one], other, smoothing_function=smooth)
    pairs = (time.process_time() - begin) * (BATCH * (BATCH - 1)) / (len(sample) * (len(sample) - 1))
    begin = time.process_time()
    cluster(distances)
    return pairs + time.process_time() - begin


def _questions(rng: random.Random) -> Iterator[str]:
    """2,048 questions of about 55 words."""
    starts, ends = ("ba", "ko", "ri", "sen", "tul", "mo", "ver", "dis"), ("n", "ra", "to", "ling", "mer", "as", "que", "by")
    words = [start + end for start in starts for end in ends]
    for _ in range(BATCH):
        yield " ".join(
            rng.choice(words) if rng.random() < 0.8 else str(rng.randrange(99)) for _ in range(rng.randrange(45, 66))
        )


def _full() -> bool:
    return os.environ.get("RDIVERSE_BENCH_FULL") == "1"


def _unit(rng: np.random.Generator, count: int) -> Vectors:
    vectors = rng.normal(size=(count, DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def _items(vectors: Vectors) -> list[Item]:
    text = "A question of a typical length, told in some fifty words or so. " * 4
    return [Item(f"{index} {text}", vector=vector, answer="42", share=0.5) for index, vector in enumerate(vectors)]


def _search_seconds(service: Service) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{service.metrics_port}/metrics", timeout=10) as response:
        found = re.search(r"^rdiverse_memory_search_seconds_sum (\S+)$", response.read().decode(), re.MULTILINE)
    return float(found[1]) if found else 0.0


def _cpu(others: list[psutil.Process], call: Callable[[], object]) -> float:
    """CPU-seconds of this process and others for one call."""

    def spent() -> float:
        return time.process_time() + sum(sum(other.cpu_times()[:2]) for other in others)

    begin = spent()
    call()
    return spent() - begin


def _typical(call: Callable[[], object]) -> float:
    return statistics.median(_seconds(call) for _ in range(REPEATS))


def _seconds(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin
