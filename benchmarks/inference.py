"""What serving costs beyond the engine's own computing, and what our decode loop gains over a plain padded `generate()`.

Everything on the nano model, each figure the median of rounds in which both sides take turns; one thread computes.
"""

import asyncio
import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import _overhead as common
from benchmarks._overhead import PARAMS, PROMPTS, ROOT, SAMPLES, SAMPLING, SEED

from rdiverse.config import RunConfig
from rdiverse.inference.client import LanguageModelClient
from rdiverse.inference.engines.engine import GenerationRequest
from rdiverse.lm.weights import resolve_resource
from rdiverse.selfplay.prompts import RenderedPrompt


def measure() -> dict[str, Any]:
    """The ratios with the seconds of every round.

    `overhead_vs_engine`: seconds of 512 questions x 10 samples through Solve over those of the bare engine plus the same
    grading; under `vllm` the same on vLLM's CPU build, null where its environment (make test-vllm makes it) is not there.
    `oip_overhead`: of the same completions through the Open Inference Protocol over Generate.
    `generate_speedup`: tokens a CPU-second of the engine over those of `generate()` on padded batches of the same size.
    """
    config = common.local_config("transformers")
    questions = common.questions(config)
    found = {"prompts": PROMPTS, "samples": SAMPLES} | common.measure("transformers") | {"vllm": _on_vllm()}
    loop = asyncio.new_event_loop()
    with common.server("transformers") as address, LanguageModelClient(address) as model:
        common.wait_ready(address)
        prompts = [common.prompt(config, question) for question in questions[:128]]
        protocol = common.rounds(
            lambda: loop.run_until_complete(_open_inference(address, prompts)),
            lambda: list(model.generate(prompts, SAMPLES, seed=SEED, sampling=SAMPLING)),
        )
    engine = common.started_engine(config, loop)
    rates = _tokens_per_second(config, engine, loop, questions[:256])
    loop.run_until_complete(engine.close())
    return found | common.figures("oip_overhead", protocol) | {
        "generate_tokens_per_second": statistics.median(ours for ours, _ in rates),
        "plain_generate_tokens_per_second": statistics.median(plain for _, plain in rates),
        "generate_speedup": statistics.median(ours / plain for ours, plain in rates),
        "generate_speedup_rounds": rates,
    }  # fmt: skip


def _on_vllm() -> dict[str, Any] | None:
    environment = Path(os.environ.get("RDIVERSE_VLLM_ENVIRONMENT") or ROOT / "build" / "vllm")
    if not (environment / ".installed").exists():
        return None
    command = [ROOT / "tests" / "environments" / "vllm.sh", environment, "python", "-m", "benchmarks._overhead", "vllm"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


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
) -> list[tuple[float, float]]:
    """Tokens a CPU-second, ours and the library's, by round."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = resolve_resource(config.model)
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    prompts = [common.prompt(config, question) for question in questions]
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
        return [(rate(lambda: loop.run_until_complete(ours())), rate(plain)) for _ in range(4)][1:]
