"""Settings of the servers."""

from typing import Literal

from pydantic import Field, model_validator

from rdiverse.config.base import Section


class EngineConfig(Section):
    """The engine behind Challenger, Solver, coder and encoder."""

    engine: Literal["transformers", "vllm"] = "vllm"
    dtype: Literal["bfloat16", "float16", "float32"] = "bfloat16"
    max_model_len: int = Field(6144, ge=8, le=1_048_576)
    """Longest prompt plus completion, in tokens."""
    max_batch_rows: int = Field(256, ge=1, le=65_536)
    """Sequences decoded together."""
    max_queue_rows: int = Field(65_536, ge=1)
    """Sequences waiting; beyond this a call is turned away with RESOURCE_EXHAUSTED."""
    threads: int = Field(1, ge=1, le=1024)
    """CPU threads of the transformers engine."""
    tensor_parallel_size: int = Field(1, ge=1, le=64)
    """GPUs that share one model (vLLM)."""
    gpu_memory_utilization: float = Field(0.9, gt=0, le=1)
    """Share of a GPU's memory that vLLM takes."""


class CoderConfig(Section):
    """The code model that writes solver programs (SAM)."""

    model: str = Field("Qwen/Qwen2.5-Coder-7B-Instruct", min_length=1, max_length=4096)
    """A model directory, a hub id, or pkg:<package>/<path>. Paper: Qwen2.5-Coder-7B (Apache-2.0)."""
    max_tokens: int = Field(2048, ge=1, le=65_536)
    retry_max_tokens: int = Field(4096, ge=1, le=65_536)
    """Room for the second try of a question whose first gave no program. Both limits are the third party's."""


class EncoderConfig(Section):
    """What turns a program into a vector (SAM)."""

    kind: Literal["structural", "model"] = "model"
    """structural: the canonical syntax tree, hashed, in process; model: a code embedding model behind its own server."""
    model: str | None = Field("jinaai/jina-code-embeddings-1.5b", max_length=4096)
    """The embedding model. The paper's Jina model is licensed CC-BY-NC: not for commercial use."""
    dimension: int = Field(1536, ge=8, le=32_768)
    """Components of a structural embedding."""

    @model_validator(mode="after")
    def _model_named(self) -> "EncoderConfig":
        if self.kind == "model" and not self.model:
            raise ValueError("kind = model needs encoder.model, a model directory or hub id")
        return self


class LocalConfig(Section):
    """What holds on one machine only."""

    port_range: tuple[int, int] | None = None
    """First and last port that servers may take; null: any that the system does not give to connections."""
    server_start_seconds: float = Field(300, gt=0)
    """A server that is not ready by then ends the run."""

    @model_validator(mode="after")
    def _range_ascends(self) -> "LocalConfig":
        if self.port_range is not None and not 1 <= self.port_range[0] <= self.port_range[1] <= 65_535:
            raise ValueError("port_range must be [first, last] with 1 <= first <= last <= 65535")
        return self
