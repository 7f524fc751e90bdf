"""What serving costs beyond the engine's own computing: `python -m benchmarks._overhead transformers|vllm` prints it as JSON.

vLLM has an environment of its own, in which this module runs as a script.
"""

import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rdiverse.config import RunConfig, SamplingConfig, load_config
from rdiverse.grading.pool import GradingPool
from rdiverse.inference.client import ModelControlClient, RpcFailure, SolverClient
from rdiverse.inference.engines.engine import GenerationRequest
from rdiverse.inference.servicers.voting import VoteCounter
from rdiverse.lm.sampling_params import SamplingParams
from rdiverse.lm.weights import resolve_resource
from rdiverse.selfplay.prompts import RenderedPrompt

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "configs" / "local.yaml"
PROMPTS = 512
SAMPLES = 10
ROUNDS = 5
SEED = 0
SAMPLING = SamplingConfig(top_k=40, max_tokens=64)
PARAMS = SamplingParams(top_k=40, max_tokens=64)

Rounds = list[tuple[float, float]]


def measure(engine_name: str) -> dict[str, Any]:
    """Seconds of 512 questions x 10 samples through Solve, and of the bare engine plus the same grading, in turns."""
    config = local_config(engine_name)
    texts = questions(config)
    loop = asyncio.new_event_loop()
    with server(engine_name) as address, GradingPool() as pool, SolverClient(address) as solver:
        engine = started_engine(config, loop)
        wait_ready(address)
        counter = VoteCounter(pool)
        taken = rounds(
            lambda: solver.solve(texts, SAMPLES, seed=SEED, sampling=SAMPLING),
            lambda: loop.run_until_complete(_bare(engine, counter, config, texts)),
        )
        counter.close()
        loop.run_until_complete(engine.close())
    return figures("overhead_vs_engine", taken)


def figures(name: str, taken: Rounds) -> dict[str, Any]:
    """The median ratio, the smallest and the largest, and the seconds that they come from."""
    ratios = [one / other for one, other in taken]
    return {name: statistics.median(ratios), f"{name}_spread": [min(ratios), max(ratios)], f"{name}_rounds": taken}


def rounds(one: Callable[[], object], other: Callable[[], object]) -> Rounds:
    """Seconds of both, in turns; the first round warms up and is left out."""
    return [(_seconds(one), _seconds(other)) for _ in range(ROUNDS + 1)][1:]


def local_config(engine_name: str) -> RunConfig:
    """The configuration of a local run on one of the engines."""
    return load_config(CONFIG, [f"inference.engine={engine_name}"])


def questions(config: RunConfig) -> list[str]:
    """512 of the nano world's held-out questions."""
    path = Path(resolve_resource(config.evaluation.benchmarks[0].path))
    found = [json.loads(line)["question"] for line in path.read_text(encoding="utf-8").splitlines()]
    return (found * (1 + PROMPTS // len(found)))[:PROMPTS]


def prompt(config: RunConfig, question: str) -> RenderedPrompt:
    """What the Solver reads."""
    return config.prompts.solver.template.render(question)


def started_engine(config: RunConfig, loop: asyncio.AbstractEventLoop) -> Any:
    """The engine that a server would use, in this process."""
    from rdiverse.inference.host import ModelHost
    from rdiverse.inference.server import make_engine

    async def start() -> Any:
        engine = make_engine(ModelHost("solver", config))
        await engine.start()
        return engine

    return loop.run_until_complete(start())


@contextmanager
def server(engine_name: str) -> Iterator[str]:
    """Start a Solver in a process of its own; gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        port, metrics_port = one.getsockname()[1], other.getsockname()[1]
    address = f"127.0.0.1:{port}"
    command = [sys.executable, "-m", "rdiverse.cli", "serve", "solver", "--config", str(CONFIG)]
    command += ["--listen", address, "--metrics-port", str(metrics_port), f"inference.engine={engine_name}"]
    process = subprocess.Popen(command, stdout=sys.stderr, env=os.environ | {"OMP_NUM_THREADS": "1"})
    try:
        yield address
    finally:
        process.terminate()
        process.wait(60)


def wait_ready(address: str) -> None:
    """Wait until a server has its model."""
    with ModelControlClient(address) as client:
        for _ in range(1500):
            try:
                if client.get_model(timeout=1).ready:
                    return
            except RpcFailure:
                pass
            time.sleep(0.2)
    raise RuntimeError("the server was not ready in time")


def _seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


async def _bare(engine: Any, counter: VoteCounter, config: RunConfig, texts: list[str]) -> None:
    """The same completions and votes without a server: what neither can do without."""
    request = GenerationRequest([prompt(config, text) for text in texts], SAMPLES, PARAMS, seed=SEED)
    samples: dict[int, list[str]] = defaultdict(list)
    votes = []
    async for completion in engine.generate(request):
        found = samples[completion.prompt_index]
        found.append(completion.text)
        if len(found) == SAMPLES:
            votes.append(asyncio.ensure_future(counter.count([found], drop_unboxed=False)))
    await asyncio.gather(*votes)


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1])))
