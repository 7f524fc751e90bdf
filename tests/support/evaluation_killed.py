"""An evaluation in a process of its own, to be killed: python -m tests.support.evaluation_killed ADDRESS FOLDER [SETS...]."""

import sys
from pathlib import Path

from rdiverse.config import EvaluationConfig, SamplingConfig
from rdiverse.evaluation import Benchmark, BenchmarkItem, evaluate
from rdiverse.grading.pool import GradingPool
from rdiverse.inference.client import SolverClient

SAMPLING = SamplingConfig(temperature=1.0, max_tokens=6)
SAMPLES = 32
SET = Benchmark("sums", tuple(BenchmarkItem(f"{i} + {i % 7}", str(i % 4), f"skill {i % 5}") for i in range(160)))


def measure(address: str, folder: Path | None):
    """The evaluation that is killed, or not."""
    with SolverClient(address) as solver, GradingPool() as grader:
        return evaluate(
            [SET],
            solver,
            EvaluationConfig(samples=SAMPLES, sampling=SAMPLING),
            seed=5,
            expected_weights="",
            grader=grader,
            folder=folder,
            progress=lambda done, total: print(done, total, flush=True),
        )


if __name__ == "__main__":
    measure(sys.argv[1], Path(sys.argv[2]))
