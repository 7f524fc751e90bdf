"""What evaluation costs beyond the model's own computing, and what a report costs."""

import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from rdiverse.config import RunConfig, load_config
from rdiverse.evaluation import Benchmark, load_benchmark
from rdiverse.evaluation import evaluate as evaluate_benchmarks
from rdiverse.evaluation.answers import EvaluationPlan
from rdiverse.grading.pool import GradingPool
from rdiverse.inference.client import ModelControlClient, RpcFailure, SolverClient
from rdiverse.report import write_report
from rdiverse_pipelines.local.servers import PROCESS_ENVIRONMENT

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "configs" / "local.yaml"
QUESTIONS = 500
ROUNDS = 50
"""A shared machine is faster and slower by a fifth from one second to the next."""
SEED = 0


def measure() -> dict[str, Any]:
    """`overhead_vs_generate` is the time to evaluate 500 questions through a served Solver over that of the bare engine.

    4 samples and a greedy answer each; both draw the same responses. They are taken in turns, and every evaluation is compared
    per token with the mean of the generations before and after it. Beside it the seconds and MiB of a report of 5 iterations
    of 2,000 questions.
    """
    with _solver() as address, _bare_engine() as bare:
        _evaluated(address), _generated(bare)  # to warm up
        evaluated, generated = [], [_generated(bare)]
        for _ in range(ROUNDS):
            evaluated.append(_evaluated(address))
            generated.append(_generated(bare))
    per_token = [seconds / tokens for seconds, tokens in generated]
    around = [statistics.mean(both) for both in pairwise(per_token)]
    ratios = [seconds / tokens / bare for (seconds, tokens), bare in zip(evaluated, around, strict=True)]
    seconds, mib = _report()
    return {
        "overhead_vs_generate": statistics.median(ratios),
        "overhead_vs_generate_quartiles": statistics.quantiles(ratios, n=4),
        "overhead_vs_generate_all": ratios,
        "evaluate_seconds": statistics.median(seconds for seconds, _ in evaluated),
        "generate_seconds": statistics.median(seconds for seconds, _ in generated),
        "tokens": sorted({tokens for _, tokens in evaluated + generated}),
        "questions": QUESTIONS,
        "report_seconds": seconds,
        "report_mib": mib,
    }


def _config() -> RunConfig:
    return load_config(CONFIG)


def _questions(config: RunConfig) -> Benchmark:
    benchmark = load_benchmark(config.evaluation.benchmarks[0])
    items = (benchmark.items * (1 + QUESTIONS // len(benchmark.items)))[:QUESTIONS]
    return Benchmark(benchmark.name, items)


def _plan(config: RunConfig) -> EvaluationPlan:
    evaluation = config.evaluation
    return EvaluationPlan((_questions(config),), evaluation.samples, evaluation.sampling, greedy=True, seed=SEED, weights="")


def _evaluated(address: str) -> tuple[float, int]:
    """Seconds and tokens of one evaluation, grading included."""
    plan = _plan(_config())
    with SolverClient(address) as solver, GradingPool() as grader, tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        evaluate_benchmarks(
            plan.benchmarks,
            solver,
            samples=plan.samples,
            sampling=plan.sampling,
            greedy=True,
            seed=SEED,
            expected_weights="",
            grader=grader,
            folder=Path(folder),
        )
        seconds = time.perf_counter() - began
        rows = [line for path in Path(folder, "responses").iterdir() for line in path.read_text(encoding="utf-8").splitlines()]
    return seconds, sum(answer["tokens"] for row in rows for answer in json.loads(row)["answers"])


@contextmanager
def _solver() -> Iterator[str]:
    """A Solver in a process of its own."""
    environment = os.environ | PROCESS_ENVIRONMENT
    port, metrics_port = _free_ports()
    address = f"127.0.0.1:{port}"
    ports = ["--listen", address, "--metrics-port", str(metrics_port)]
    command = ["-m", "rdiverse.cli", "serve", "solver", "--config", str(CONFIG), *ports]
    process = subprocess.Popen([sys.executable, *command], env=environment)
    try:
        with ModelControlClient(address) as client:
            for _ in range(600):
                try:
                    if client.get_model(timeout=1).ready:
                        break
                except RpcFailure:
                    time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def _free_ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        return one.getsockname()[1], other.getsockname()[1]


@contextmanager
def _bare_engine() -> Iterator[subprocess.Popen[str]]:
    """The engine alone, in a process that draws everything once for every line it is sent."""
    environment = os.environ | PROCESS_ENVIRONMENT
    command = [sys.executable, "-m", "benchmarks.evaluation", "--bare"]
    process = subprocess.Popen(command, env=environment, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)


def _generated(process: subprocess.Popen[str]) -> tuple[float, int]:
    assert process.stdin is not None  # noqa: S101 - it was asked for
    assert process.stdout is not None  # noqa: S101
    process.stdin.write("again\n")
    process.stdin.flush()
    seconds, tokens = json.loads(process.stdout.readline())
    return seconds, tokens


async def _serve_bare() -> None:
    from rdiverse.inference.engines.engine import GenerationRequest
    from rdiverse.inference.engines.transformers_engine import TransformersEngine
    from rdiverse.lm.sampling_params import SamplingParams

    config = _config()
    plan = _plan(config)
    engine = TransformersEngine(config.model, config.inference, embeds=False)
    await engine.start()
    template = config.prompts.solver.template
    prompts = [template.render(item.question) for item in plan.items]

    def request(portion: Any) -> GenerationRequest:
        sampling = plan.sampling_of(portion.kind)
        params = SamplingParams(sampling.temperature, sampling.top_p, sampling.top_k, sampling.max_tokens)
        own = prompts[portion.start : portion.stop]
        return GenerationRequest(own, plan.answers_of(portion.kind), params, seed=plan.seed_of(portion))

    async def draw(portion: Any) -> int:
        return sum([completion.completion_tokens async for completion in engine.generate(request(portion))])

    while await asyncio.to_thread(sys.stdin.readline):
        began = time.perf_counter()
        tokens = await asyncio.gather(*(draw(portion) for portion in plan.portions()))
        print(json.dumps([time.perf_counter() - began, sum(tokens)]), flush=True)


def _report() -> tuple[float, float]:
    from tests.support.report_run import make_run

    with tempfile.TemporaryDirectory() as workspace:
        run = make_run(Path(workspace), iterations=5, pool=2000, dimension=1536)
        began = time.perf_counter()
        write_report(run, run.report)
        return time.perf_counter() - began, run.report.stat().st_size / 2**20


if __name__ == "__main__":
    if sys.argv[1:] == ["--bare"]:
        asyncio.run(_serve_bare())
    else:
        print(json.dumps(measure(), indent=2))
