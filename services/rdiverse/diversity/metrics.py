"""Figures of the service beside gRPC's own, in Prometheus' default registry."""

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300)
_MANY = (1, 4, 16, 64, 256, 1024, 4096, 8192)

SAM_CACHE = Counter("rdiverse_sam_cache_requests", "Look-ups of programs and vectors.", ["kind", "result"])
SAM_FAILURES = Counter("rdiverse_sam_failures", "Items without a program that can be embedded.", ["fault"])
NEAR_ECHOES = Counter("rdiverse_sam_near_echoes", "Programs with the computation of the example in the coder's prompt.")
MEMORY_ITEMS = Gauge("rdiverse_memory_items", "Committed items.", ["run"])
SEARCH_SECONDS = Histogram("rdiverse_memory_search_seconds", "Search for the nearest items of one batch.", buckets=_SECONDS)
COMMIT_SECONDS = Histogram("rdiverse_memory_commit_seconds", "Commit of one iteration.", buckets=_SECONDS)
CLUSTERS = Histogram("rdiverse_batch_clusters", "Clusters of one scored batch.", buckets=_MANY)
BATCH_ITEMS = Histogram("rdiverse_batch_items", "Items of one scored batch.", buckets=_MANY)


def count_cache(kind: str, hits: int, misses: int) -> None:
    """Count look-ups of a batch."""
    SAM_CACHE.labels(kind, "hit").inc(hits)
    SAM_CACHE.labels(kind, "miss").inc(misses)
