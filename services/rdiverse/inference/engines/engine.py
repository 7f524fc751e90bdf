"""What an engine is: the one thing that knows how to run a model. Servicers know this file and no engine."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rdiverse.grpcio_kit.errors import OverloadedError
from rdiverse.lm.sampling_params import SamplingParams
from rdiverse.selfplay.prompts import RenderedPrompt

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Finish(Enum):
    """Why a completion ended."""

    STOP = "stop"
    """The model ended it, or a stop string was met."""
    LENGTH = "length"
    """max_tokens or the model's context was used up."""


@dataclass(frozen=True)
class GenerationRequest:
    """`n` completions of each prompt."""

    prompts: Sequence[RenderedPrompt]
    n: int
    params: SamplingParams
    seed: int | None = None
    """The noise of a sample is a function of the seed, its prompt's index and its own; None draws a fresh seed."""
    first_prompt: int = 0
    """Index of the first prompt in the caller's count, for noise and for results."""
    first_sample: int = 0
    """Index of each prompt's first sample."""
    expected_weights: str = ""
    """Version that must write every completion; empty: any."""
    logprobs: bool = False
    allow_too_long: bool = False
    """A prompt that leaves no room for a token gets samples of none; else it refuses the request."""


@dataclass(frozen=True)
class Completion:
    """One completion."""

    prompt_index: int
    sample_index: int
    text: str
    finish: Finish
    prompt_tokens: int
    completion_tokens: int
    """Tokens drawn, an end-of-sequence token included."""
    weights: str
    logprobs: tuple[float, ...] = ()
    """One for each token drawn, under the distribution it was drawn from; at temperature 0 under the model's own."""


class PromptTooLongError(ValueError):
    """A prompt leaves no room for a single new token."""

    def __init__(self, index: int, tokens: int, max_model_len: int) -> None:
        super().__init__(f"{tokens} tokens leave no room in this model's {max_model_len}")
        self.index = index
        """Position in the request's prompts, from 0."""


def check_lengths(request: GenerationRequest, tokens: Sequence[Sequence[int]], max_model_len: int) -> list[int]:
    """Positions of the prompts that leave no room for a token. Raises PromptTooLongError where the request allows none."""
    too_long = [position for position, ids in enumerate(tokens) if len(ids) >= max_model_len]
    if too_long and not request.allow_too_long:
        raise PromptTooLongError(too_long[0], len(tokens[too_long[0]]), max_model_len)
    return too_long


def check_texts(tokens: Sequence[Sequence[int]], max_model_len: int) -> None:
    """Raises PromptTooLongError for the first text that is too long to embed."""
    for position, ids in enumerate(tokens):
        if len(ids) > max_model_len:
            raise PromptTooLongError(position, len(ids), max_model_len)


def check_queue(waiting: int, rows: int, most: int) -> None:
    """Raises OverloadedError when more rows would wait than may; a request alone is always taken."""
    if waiting and waiting + rows > most:
        raise OverloadedError(f"{waiting} sequences wait already and {rows} more would exceed {most}")


def empty_completions(request: GenerationRequest, position: int, prompt_tokens: int, weights: str) -> list[Completion]:
    """The samples of a prompt that leaves no room."""
    samples = range(request.first_sample, request.first_sample + request.n)
    return [Completion(request.first_prompt + position, i, "", Finish.LENGTH, prompt_tokens, 0, weights) for i in samples]


class Engine(Protocol):
    """Runs one model. Coroutines are called from one event loop; an engine keeps its computing off that loop's thread.

    Raises from any of them, beside what is named: WrongWeightsError, OverloadedError, DependencyUnavailableError while no
    weights are in place (rdiverse.grpcio_kit.errors).
    """

    name: str
    """transformers or vllm."""
    exact_seeds: bool
    """Whether a seed promises the same text; then the batches of a call with a seed must not depend on its timing."""

    @property
    def version(self) -> str:
        """Version of the weights that serve now."""

    @property
    def max_model_len(self) -> int:
        """Longest prompt plus completion, in tokens."""

    @property
    def embedding_dimension(self) -> int:
        """Components of an embedding; 0 when this engine generates."""

    @property
    def healthy(self) -> bool:
        """Whether the engine can still answer; False: the process is worth replacing."""

    @property
    def ready(self) -> bool:
        """Whether weights are loaded that passed their trial; False after a failed load that could not be undone."""

    @property
    def waiting_rows(self) -> int:
        """Sequences that wait."""

    @property
    def running_rows(self) -> int:
        """Sequences that are computed now; 0: idle."""

    async def start(self) -> None:
        """Load the model and try it. Raises CheckpointError."""

    def generate(self, request: GenerationRequest) -> AsyncGenerator[Completion, None]:
        """Give completions as they finish, in no promised order; closing the generator aborts what is left.

        All samples of a prompt are written by one version of the weights. Raises PromptTooLongError before anything
        is drawn, unless the request allows such prompts, and OverloadedError when too many rows wait.
        """

    async def embed(self, texts: Sequence[str], expected_weights: str = "") -> "tuple[NDArray[np.float32], str]":
        """Unit vectors, (texts, dimension), and the version that made them. Raises PromptTooLongError."""

    async def load_weights(self, folder: Path, version: str = "") -> float:
        """Put a checkpoint in place and try it; on any failure the old weights serve on. Returns the seconds of pause.

        `folder` may hold a LoRA adapter of the model that the engine was started with. `version`: what it must have.
        Raises CheckpointError.
        """

    async def close(self) -> None:
        """Stop and free the model."""
