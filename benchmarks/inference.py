"""What serving costs beyond the engine's own computing, and what our decode loop gains over a plain padded `generate()`.

Everything on the nano model, each figure the median of rounds in which both sides take turns; one thread computes.
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
from rdiverse.inference.client import LanguageModelClient, ModelControlClient, RpcFailure, SolverClient
from rdiverse.inference.engine import GenerationRequest, SamplingParams
from rdiverse.inference.judging import Judge
from rdiverse.runs.weights import resolve_resource
from rdiverse.selfplay.prompts import RenderedPrompt

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "configs" / "local.yaml"
PROMPTS = 512
SAMPLES = 10
ROUNDS = 5
SEED = 0
SAMPLING = SamplingConfig(top_k=40, max_tokens=64)
PARAMS = SamplingParams(top_k=40, max_tokens=64)


def measure() -> dict[str, Any]:
    """The three ratios with the figures of every round.

    `overhead_vs_engine`: seconds of 512 questions x 10 samples through Solve over those of the bare engine plus the same
    grading. `oip_overhead`: of the same completions through the Open Inference Protocol over Generate.
    `generate_speedup`: tokens a CPU-second of the engine over those of `generate()` on padded batches of the same size.
    """
    config = load_config(CONFIG)
    questions = _questions(config)
    loop = asyncio.new_event_loop()
    engine = _engine(config, loop)
    with _server() as address, GradingPool() as pool, SolverClient(address) as solver, LanguageModelClient(address) as model:
        judge = Judge(pool)
        served = _rounds(
            lambda: solver.solve(questions, SAMPLES, seed=SEED, sampling=SAMPLING),
            lambda: loop.run_until_complete(_bare(engine, judge, config, questions)),
        )
        prompts = [_prompt(config, question) for question in questions[:128]]
        protocol = _rounds(
            lambda: loop.run_until_complete(_open_inference(address, prompts)),
            lambda: list(model.generate(prompts, SAMPLES, seed=SEED, sampling=SAMPLING)),
        )
        judge.close()
    ours, plain = _tokens_per_second(config, engine, loop, questions[:256])
    loop.run_until_complete(engine.close())
    return {
        "prompts": PROMPTS,
        "samples": SAMPLES,
        "overhead_vs_engine": _median_ratio(served),
        "overhead_vs_engine_rounds": served,
        "oip_overhead": _median_ratio(protocol),
        "oip_overhead_rounds": protocol,
        "generate_tokens_per_second": statistics.median(ours),
        "plain_generate_tokens_per_second": statistics.median(plain),
        "generate_speedup": statistics.median(a / b for a, b in zip(ours, plain, strict=True)),
        "generate_speedup_rounds": list(zip(ours, plain, strict=True)),
    }


def _questions(config: RunConfig) -> list[str]:
    path = Path(resolve_resource(config.evaluation.benchmarks[0].path))
    found = [json.loads(line)["question"] for line in path.read_text(encoding="utf-8").splitlines()]
    return (found * (1 + PROMPTS // len(found)))[:PROMPTS]


def _prompt(config: RunConfig, question: str) -> RenderedPrompt:
    return config.prompts.solver.template.render(question)


def _rounds(one: Callable[[], object], other: Callable[[], object]) -> list[tuple[float, float]]:
    """Seconds of both, in turns; the first round warms up and is left out."""
    return [(_seconds(one), _seconds(other)) for _ in range(ROUNDS + 1)][1:]


def _seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def _median_ratio(rounds: list[tuple[float, float]]) -> float:
    return statistics.median(one / other for one, other in rounds)


def _engine(config: RunConfig, loop: asyncio.AbstractEventLoop) -> Any:
    from rdiverse.inference.transformers_engine import TransformersEngine

    async def start() -> TransformersEngine:
        engine = TransformersEngine(config.model, config.inference)
        await engine.start()
        return engine

    return loop.run_until_complete(start())


async def _bare(engine: Any, judge: Judge, config: RunConfig, questions: list[str]) -> None:
    """The same completions and votes without a server: what neither can do without."""
    request = GenerationRequest([_prompt(config, question) for question in questions], SAMPLES, PARAMS, seed=SEED)
    samples: dict[int, list[str]] = defaultdict(list)
    votes = []
    async for completion in engine.generate(request):
        found = samples[completion.prompt_index]
        found.append(completion.text)
        if len(found) == SAMPLES:
            votes.append(asyncio.ensure_future(judge.vote(found, drop_unboxed=False)))
    await asyncio.gather(*votes)


async def _open_inference(address: str, prompts: list[RenderedPrompt]) -> None:
    import numpy as np
    from kserve import InferenceGRPCClient, InferInput, InferRequest

    texts = InferInput("text", [len(prompts)], "BYTES")
    texts.set_data_from_numpy(np.array([prompt.user.encode() for prompt in prompts], dtype=object))
    parameters = {"n": SAMPLES, "seed": SEED, "top_k": PARAMS.top_k, "max_tokens": PARAMS.max_tokens}
    client = InferenceGRPCClient(address, timeout=600)
    try:
        response = await client.infer(InferRequest("solver", [texts], parameters=parameters))
    finally:
        await client.close()
    if len(response.outputs[0].as_numpy()) != len(prompts) * SAMPLES:
        raise RuntimeError("completions are missing")


def _tokens_per_second(
    config: RunConfig, engine: Any, loop: asyncio.AbstractEventLoop, questions: list[str]
) -> tuple[list[float], list[float]]:
    """Tokens a CPU-second, ours and the library's, by round."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = resolve_resource(config.model)
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    prompts = [_prompt(config, question) for question in questions]
    size = config.inference.max_batch_rows // SAMPLES

    async def ours() -> int:
        request = GenerationRequest(prompts, SAMPLES, PARAMS, seed=SEED)
        return sum([completion.completion_tokens async for completion in engine.generate(request)])

    def plain() -> int:
        tokens = 0
        for at in range(0, len(prompts), size):
            batch = tokenizer([prompt.user for prompt in prompts[at : at + size]], return_tensors="pt", padding=True)
            width = batch["input_ids"].shape[1]
            output = model.generate(
                input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], do_sample=True, temperature=1.0,
                top_k=PARAMS.top_k, top_p=1.0, max_new_tokens=PARAMS.max_tokens, num_return_sequences=SAMPLES,
                pad_token_id=tokenizer.pad_token_id,
            )  # fmt: skip
            ended = output[:, width:] == tokenizer.eos_token_id
            tokens += int((ended.cumsum(1) - ended.long() == 0).sum())
        return tokens

    def rate(draw: Callable[[], int]) -> float:
        begin = time.process_time()
        tokens = draw()
        return tokens / (time.process_time() - begin)

    with torch.inference_mode():
        rounds = [(rate(lambda: loop.run_until_complete(ours())), rate(plain)) for _ in range(4)][1:]
    return [one for one, _ in rounds], [other for _, other in rounds]


@contextmanager
def _server() -> Iterator[str]:
    """A Solver in a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        port, metrics_port = one.getsockname()[1], other.getsockname()[1]
    address = f"127.0.0.1:{port}"
    command = [sys.executable, "-m", "rdiverse.cli", "serve", "solver", "--config", str(CONFIG)]
    command += ["--listen", address, "--metrics-port", str(metrics_port)]
    process = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})
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
