"""Clients of the load test, in a process of their own so that they do not hold up whoever measures.

python -m tests.support.diversity_load_client mixed ADDRESS SEED CLIENTS SECONDS      prints the number of calls
python -m tests.support.diversity_load_client burst ADDRESS SEED CLIENTS              prints each call's outcome
"""

import json
import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from rdiverse.diversity.client import DiversityClient, RpcFailure

RUN = "load"
MEMORY_ITEMS = 10_000


def questions() -> list[str]:
    return [f"What is {a} {op} {b} * {a}?" for a in range(2, 12) for b in range(2, 12) for op in "+-*"]


def mixed(address: str, seed: int, end: float) -> int:
    """Mostly Score, some reads. Any error ends the process."""
    rng, known, calls = random.Random(seed), questions(), 0
    with DiversityClient(address, retry_seconds=0) as client:
        while time.monotonic() < end:
            kind = rng.random()
            if kind < 0.7:
                assert len(client.score(RUN, rng.sample(known, 16), 2, timeout=60)) == 16
            elif kind < 0.8:
                assert len(client.find_neighbors(RUN, rng.choice(known), 2, 5, timeout=60).neighbors) == 5
            elif kind < 0.9:
                assert len(client.sample_replay(RUN, 2, 20, seed=rng.randrange(100), timeout=60)) == 20
            else:
                assert client.get_stats(RUN, timeout=60).iterations[0].items == MEMORY_ITEMS
            calls += 1
    return calls


def burst(address: str, seed: int) -> tuple[str, bool]:
    """One call: its status, and whether the answer said when to come back."""
    with DiversityClient(address, retry_seconds=0) as client:
        try:
            client.score(RUN, random.Random(seed).sample(questions(), 200), 2, timeout=100)
        except RpcFailure as failure:
            return failure.code.name, bool(failure.retry_seconds)
    return "OK", False


def main() -> None:
    kind, address, seed, clients = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    with ThreadPoolExecutor(clients) as pool:
        if kind == "mixed":
            end = time.monotonic() + float(sys.argv[5])
            print(sum(pool.map(lambda index: mixed(address, seed + index, end), range(clients))))
        else:
            print(json.dumps(list(pool.map(lambda index: burst(address, seed + index), range(clients)))))


if __name__ == "__main__":
    main()
