"""The held-out questions: one of every skill of at most two modifiers, none of them ever pre-trained on in any words."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from rdiverse.nano.corpus import held_out, pose
from rdiverse.nano.grammar import all_skills
from rdiverse.nano.language import write
from rdiverse.selfplay.seeds import derive_seed

BENCHMARK = Path(__file__).parent / "benchmark.jsonl"
"""The shipped file."""
SEED = 20_260
DRAWS = 10_000


class BenchmarkQuestion(NamedTuple):
    """One row of the file."""

    question: str
    answer: str
    skill: str


def make_benchmark() -> Iterator[BenchmarkQuestion]:
    """Draw the questions, in the order of the skills; always the same ones. Raises RuntimeError for a skill without any."""
    for skill in all_skills():
        rng = random.Random(derive_seed(SEED, "nano", "benchmark", skill))  # noqa: S311
        for _ in range(DRAWS):
            problem = pose(skill.split("."), rng)
            if problem is not None and held_out(problem):
                yield BenchmarkQuestion(write(problem, rng), str(problem.truth), skill)
                break
        else:
            raise RuntimeError(f"{skill}: {DRAWS} draws gave no held-out problem; its numbers leave too few")


def benchmark_text() -> str:
    """The file as it is shipped: JSON lines."""
    return "".join(f"{json.dumps(row._asdict())}\n" for row in make_benchmark())


def read_benchmark(path: Path = BENCHMARK) -> list[BenchmarkQuestion]:
    """Read the shipped file."""
    return [BenchmarkQuestion(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
