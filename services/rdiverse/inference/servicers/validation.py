"""The field rules in the comments of proto/rdiverse/v1, enforced: requests become what an engine understands.

The one place that says no to a field. Every function raises InvalidFieldError, which names it.
"""

from rdiverse.config import SamplingConfig
from rdiverse.grpcio_kit.errors import InvalidFieldError
from rdiverse.inference.engines.engine import GenerationRequest
from rdiverse.lm.sampling_params import SamplingParams
from rdiverse.selfplay.prompts import RenderedPrompt
from rdiverse.v1.challenger_pb2 import ProposeRequest
from rdiverse.v1.language_model_pb2 import EmbedRequest, GenerateRequest
from rdiverse.v1.model_control_pb2 import LoadWeightsRequest
from rdiverse.v1.sampling_pb2 import Sampling
from rdiverse.v1.solver_pb2 import Problem, ProblemChunk, SolveSettings

MAX_TEXT = 65_536
"""Characters."""
MAX_PROMPTS = 4096
MAX_SAMPLES = 1024
MAX_PROBLEMS = 100_000
MAX_CHUNK_PROBLEMS = 1024
_MAX_COUNT = 100_000
_MAX_VERSION = 256
_MAX_PATH = 4096
_MAX_STOPS = 16
_MAX_STOP = 256
_MAX_INDEX = 2**62
"""Indices count up from what is given; this leaves room in an int64."""


def read_propose(request: ProposeRequest, defaults: SamplingConfig) -> GenerationRequest:
    """What a ProposeRequest asks of the engine, save the prompt."""
    _check_range("count", request.count, 1, _MAX_COUNT)
    _check_range("first_index", request.first_index, 0, _MAX_INDEX)
    return GenerationRequest(
        prompts=(),
        n=request.count,
        params=_params(request, "count", request.count, defaults),
        seed=_seed(request),
        first_sample=request.first_index,
        expected_weights=request.expected_weights,
    )


def read_settings(settings: SolveSettings, defaults: SamplingConfig) -> GenerationRequest:
    """What the settings of a Solve call ask of the engine, save the prompts; one that is too long spoils no other."""
    _check_range("settings.samples", settings.samples, 1, MAX_SAMPLES)
    return GenerationRequest(
        prompts=(),
        n=settings.samples,
        params=_params(settings, "samples", settings.samples, defaults, "settings."),
        seed=_seed(settings),
        expected_weights=settings.expected_weights,
        allow_too_long=True,
    )


def check_chunk(chunk: ProblemChunk, seen: set[int]) -> None:
    """Check problems of a Solve call and add their indices to those seen."""
    _check_count("chunk.problems", len(chunk.problems), MAX_CHUNK_PROBLEMS, "problem")
    for problem in chunk.problems:
        _check_problem(problem, seen)


def _check_problem(problem: Problem, seen: set[int]) -> None:
    _check_range("problem.index", problem.index, 0, _MAX_INDEX)
    if problem.index in seen:
        raise InvalidFieldError("problem.index", f"{problem.index} came before in this call")
    if len(seen) >= MAX_PROBLEMS:
        raise InvalidFieldError("problem", f"a call may hold at most {MAX_PROBLEMS} problems")
    _check_text(f"problem[{problem.index}].question", problem.question)
    seen.add(problem.index)


def read_generate(request: GenerateRequest, defaults: SamplingConfig) -> GenerationRequest:
    """What a GenerateRequest asks of the engine."""
    _check_count("prompts", len(request.prompts), MAX_PROMPTS, "prompt")
    for i, prompt in enumerate(request.prompts):
        _check_text(f"prompts[{i}].user", prompt.user)
        _check_length(f"prompts[{i}].system", prompt.system)
    _check_range("n", request.n, 1, MAX_SAMPLES)
    return GenerationRequest(
        prompts=[RenderedPrompt(prompt.system, prompt.user) for prompt in request.prompts],
        n=request.n,
        params=_params(request, "n", request.n, defaults),
        seed=_seed(request),
        expected_weights=request.expected_weights,
        logprobs=request.return_logprobs,
    )


def check_embed(request: EmbedRequest) -> None:
    """Check an EmbedRequest."""
    _check_count("texts", len(request.texts), MAX_PROMPTS, "text")
    for i, text in enumerate(request.texts):
        _check_text(f"texts[{i}]", text)
    _check_length("expected_weights", request.expected_weights, _MAX_VERSION)


def check_load(request: LoadWeightsRequest) -> None:
    """Check a LoadWeightsRequest."""
    _check_text("path", request.path, _MAX_PATH)
    if "\0" in request.path:
        raise InvalidFieldError("path", "must not hold a NUL character")
    _check_length("version", request.version, _MAX_VERSION)


def read_sampling(sampling: Sampling, defaults: SamplingConfig, field: str = "sampling") -> SamplingParams:
    """How to draw; what is left out takes the role's default."""
    temperature = sampling.temperature if sampling.HasField("temperature") else defaults.temperature
    top_p = sampling.top_p if sampling.HasField("top_p") else defaults.top_p
    top_k = sampling.top_k if sampling.HasField("top_k") else defaults.top_k
    max_tokens = sampling.max_tokens if sampling.HasField("max_tokens") else defaults.max_tokens
    _check_range(f"{field}.temperature", temperature, 0, 10)
    if not 0 < top_p <= 1:  # false for NaN, too
        raise InvalidFieldError(f"{field}.top_p", f"must be above 0 and at most 1, is {top_p}")
    _check_range(f"{field}.top_k", top_k, 0, 1_000_000)
    _check_range(f"{field}.max_tokens", max_tokens, 1, 65_536)
    if len(sampling.stop) > _MAX_STOPS:
        raise InvalidFieldError(f"{field}.stop", f"must hold at most {_MAX_STOPS} strings, holds {len(sampling.stop)}")
    for i, string in enumerate(sampling.stop):
        _check_text(f"{field}.stop[{i}]", string, _MAX_STOP)
    return SamplingParams(temperature, top_p, top_k, max_tokens, tuple(sampling.stop))


_Drawing = ProposeRequest | SolveSettings | GenerateRequest
"""The messages that say how completions are drawn."""


def _params(message: _Drawing, field: str, count: int, defaults: SamplingConfig, path: str = "") -> SamplingParams:
    """How `count` completions of a prompt are drawn; `field` names their number, `path` is where the fields stand."""
    _check_length(f"{path}expected_weights", message.expected_weights, _MAX_VERSION)
    params = read_sampling(message.sampling, defaults, f"{path}sampling")
    if params.temperature == 0 and count > 1:
        raise InvalidFieldError(f"{path}{field}", f"must be 1 at temperature 0, where all completions are the same, is {count}")
    return params


def _seed(message: _Drawing) -> int | None:
    return message.seed if message.HasField("seed") else None


def _check_range(field: str, value: float, low: int, high: int) -> None:
    if not low <= value <= high:  # false for NaN, too
        raise InvalidFieldError(field, f"must be between {low} and {high}, is {value}")


def _check_count(field: str, count: int, most: int, what: str) -> None:
    if not count:
        raise InvalidFieldError(field, f"must hold at least one {what}")
    if count > most:
        raise InvalidFieldError(field, f"must hold at most {most} {what}s, holds {count}")


def _check_text(field: str, text: str, most: int = MAX_TEXT) -> None:
    if not text:
        raise InvalidFieldError(field, "must not be empty")
    _check_length(field, text, most)


def _check_length(field: str, text: str, most: int = MAX_TEXT) -> None:
    if len(text) > most:
        raise InvalidFieldError(field, f"must have at most {most} characters, has {len(text)}")
