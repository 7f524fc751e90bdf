"""Between the engines' words and vLLM's: how it is made, asked and understood. vLLM itself is imported late."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rdiverse.config import EngineConfig
from rdiverse.inference.engines.engine import Completion, Finish, GenerationRequest
from rdiverse.lm.tokenizer import ChatTokenizer, cut_at_stop, visible

HOTTEST = 2
"""vLLM's largest temperature."""


def make_llm(folder: Path, config: EngineConfig, max_model_len: int, *, embeds: bool) -> Any:
    """Make an AsyncLLM with a model loaded."""
    # Its processes would be forked, in a process that has threads and an event loop by now.
    os.environ.setdefault("VLLM_WORKER_MULTIPROC_METHOD", "spawn")
    from vllm.config import PoolerConfig
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.platforms import current_platform
    from vllm.v1.engine.async_llm import AsyncLLM

    arguments: dict[str, Any] = {
        "model": str(folder),
        "dtype": config.dtype,
        "max_model_len": max_model_len,
        "max_num_seqs": config.max_batch_rows,
        "tensor_parallel_size": config.tensor_parallel_size,
        "generation_config": "vllm",  # else the model directory changes how tokens are drawn
        "logprobs_mode": "processed_logprobs",
        "enable_prefix_caching": not embeds,
        "worker_extension_cls": "rdiverse.inference.engines.vllm_process.WorkerExtension",
        "disable_log_stats": False,
    }
    if current_platform.is_cpu():
        # Chunks of a prompt take back drawn noise, which vLLM cannot do with a seed on a CPU: its engine dies of it.
        arguments |= {"enforce_eager": True, "enable_chunked_prefill": False}
    else:
        arguments["gpu_memory_utilization"] = config.gpu_memory_utilization
    if embeds:
        arguments |= {
            "runner": "pooling",
            "convert": "embed",
            "pooler_config": PoolerConfig(seq_pooling_type="LAST", use_activation=True),
        }
    return AsyncLLM.from_engine_args(AsyncEngineArgs(**arguments))


def sampling(request: GenerationRequest, position: int, room: int, eos: Sequence[int]) -> Any:
    """How one prompt of a request is to be completed, in at most `room` tokens."""
    from vllm import SamplingParams as Sampling
    from vllm.sampling_params import RequestOutputKind

    params = request.params
    return Sampling(
        n=request.n,
        temperature=params.temperature,
        top_p=params.top_p,
        top_k=params.top_k,
        max_tokens=min(params.max_tokens, room),
        stop=list(params.stop) or None,
        stop_token_ids=list(eos),
        seed=_seed(request, position),
        logprobs=0 if request.logprobs else None,
        detokenize=bool(params.stop),
        skip_special_tokens=True,
        output_kind=RequestOutputKind.FINAL_ONLY,
    )


def completions(
    request: GenerationRequest, position: int, output: Any, weights: str, tokenizer: ChatTokenizer, eos: Sequence[int]
) -> list[Completion]:
    """All samples of one prompt. Decoded as by the other engine: vLLM leaves out the bytes of a cut character."""
    texts = tokenizer.decode([visible(sample.token_ids, eos) for sample in output.outputs])
    return [
        Completion(
            prompt_index=request.first_prompt + position,
            sample_index=request.first_sample + sample.index,
            text=cut_at_stop(text, request.params.stop),
            finish=Finish.STOP if sample.finish_reason == "stop" else Finish.LENGTH,
            prompt_tokens=len(output.prompt_token_ids),
            completion_tokens=len(sample.token_ids),
            weights=weights,
            logprobs=logprobs(sample) if request.logprobs else (),
        )
        for sample, text in zip(output.outputs, texts, strict=True)
    ]


def logprobs(sample: Any) -> tuple[float, ...]:
    """The log-probability of each token of a sample."""
    return tuple(step[token].logprob for token, step in zip(sample.token_ids, sample.logprobs, strict=True))


def _seed(request: GenerationRequest, position: int) -> int | None:
    """VLLM's seed of a prompt; it derives those of the samples by adding their index."""
    if request.seed is None:
        return None
    name = f"{request.seed}:{request.first_prompt + position}:{request.first_sample}"
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little")
