"""How tokens are drawn, as plain data: importable where torch may not be."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SamplingParams:
    """How tokens are drawn, nothing left open. Ranges as in proto/rdiverse/v1/sampling.proto."""

    temperature: float = 1.0
    """0: greedy."""
    top_p: float = 1.0
    top_k: int = 0
    """0: all."""
    max_tokens: int = 4096
    stop: tuple[str, ...] = ()
