"""The field rules in the comments of proto/rdiverse/v1, enforced: requests become what an engine understands."""

from rdiverse.config import SamplingConfig
from rdiverse.grpcio_kit.errors import InvalidFieldError
from rdiverse.lm.sampling_params import SamplingParams
from rdiverse.selfplay.prompts import RenderedPrompt
from rdiverse.v1 import challenger_pb2, language_model_pb2, model_control_pb2, sampling_pb2, solver_pb2

MAX_TEXT = 65_536
MAX_PROMPTS = 4096
MAX_SAMPLES = 1024
MAX_PROBLEMS = 100_000
MAX_CHUNK_PROBLEMS = 1024
_MAX_COUNT = 100_000
_MAX_VERSION = 256
_MAX_PATH = 4096
_MAX_INDEX = 2**62
"""Indices count up from what is given; this leaves room in an int64."""


def check_propose(request: challenger_pb2.ProposeRequest, defaults: SamplingConfig) -> SamplingParams:
    """Check a ProposeRequest. Raises InvalidFieldError."""
    _check_range("count", request.count, 1, _MAX_COUNT)
    _check_range("first_index", request.first_index, 0, _MAX_INDEX)
    _check_version("expected_weights", request.expected_weights)
    params = read_sampling(request.sampling, defaults)
    if params.temperature == 0 and request.count > 1:
        raise InvalidFieldError("count", "must be 1 when the temperature is 0: all completions would be the same")
    return params


def check_settings(settings: solver_pb2.SolveSettings, defaults: SamplingConfig) -> SamplingParams:
    """Check the settings of a Solve call. Raises InvalidFieldError."""
    _check_range("settings.samples", settings.samples, 1, MAX_SAMPLES)
    _check_version("settings.expected_weights", settings.expected_weights)
    params = read_sampling(settings.sampling, defaults, "settings.sampling")
    if params.temperature == 0 and settings.samples > 1:
        raise InvalidFieldError("settings.samples", "must be 1 when the temperature is 0: all samples would be the same")
    return params


def check_chunk(chunk: solver_pb2.ProblemChunk, seen: set[int]) -> None:
    """Check problems of a Solve call and add their indices to those seen. Raises InvalidFieldError."""
    _check_range("chunk.problems", len(chunk.problems), 1, MAX_CHUNK_PROBLEMS)
    for problem in chunk.problems:
        _check_problem(problem, seen)


def _check_problem(problem: solver_pb2.Problem, seen: set[int]) -> None:
    _check_range("problem.index", problem.index, 0, _MAX_INDEX)
    if problem.index in seen:
        raise InvalidFieldError("problem.index", f"{problem.index} came before in this call")
    if len(seen) >= MAX_PROBLEMS:
        raise InvalidFieldError("problem", f"at most {MAX_PROBLEMS} problems in a call")
    _check_text(f"problem[{problem.index}].question", problem.question)
    seen.add(problem.index)


def check_generate(
    request: language_model_pb2.GenerateRequest, defaults: SamplingConfig
) -> tuple[list[RenderedPrompt], SamplingParams]:
    """Check a GenerateRequest. Raises InvalidFieldError."""
    if not 1 <= len(request.prompts) <= MAX_PROMPTS:
        raise InvalidFieldError("prompts", f"must hold 1 to {MAX_PROMPTS} prompts, not {len(request.prompts)}")
    for i, prompt in enumerate(request.prompts):
        _check_text(f"prompts[{i}].user", prompt.user)
        if len(prompt.system) > MAX_TEXT:
            raise InvalidFieldError(
                f"prompts[{i}].system", f"must have at most {MAX_TEXT} characters, not {len(prompt.system)}"
            )
    _check_range("n", request.n, 1, MAX_SAMPLES)
    _check_version("expected_weights", request.expected_weights)
    params = read_sampling(request.sampling, defaults)
    if params.temperature == 0 and request.n > 1:
        raise InvalidFieldError("n", "must be 1 when the temperature is 0: all completions would be the same")
    return [RenderedPrompt(prompt.system, prompt.user) for prompt in request.prompts], params


def check_embed(request: language_model_pb2.EmbedRequest) -> None:
    """Check an EmbedRequest. Raises InvalidFieldError."""
    if not 1 <= len(request.texts) <= MAX_PROMPTS:
        raise InvalidFieldError("texts", f"must hold 1 to {MAX_PROMPTS} texts, not {len(request.texts)}")
    for i, text in enumerate(request.texts):
        _check_text(f"texts[{i}]", text)
    _check_version("expected_weights", request.expected_weights)


def check_load(request: model_control_pb2.LoadWeightsRequest) -> None:
    """Check a LoadWeightsRequest. Raises InvalidFieldError."""
    if not 1 <= len(request.path) <= _MAX_PATH or "\0" in request.path:
        raise InvalidFieldError("path", f"must have 1 to {_MAX_PATH} characters, none of them NUL")
    _check_version("version", request.version)


def read_sampling(sampling: sampling_pb2.Sampling, defaults: SamplingConfig, field: str = "sampling") -> SamplingParams:
    """Check how to draw; what is left out takes the role's default. Raises InvalidFieldError."""
    temperature = sampling.temperature if sampling.HasField("temperature") else defaults.temperature
    top_p = sampling.top_p if sampling.HasField("top_p") else defaults.top_p
    top_k = sampling.top_k if sampling.HasField("top_k") else defaults.top_k
    max_tokens = sampling.max_tokens if sampling.HasField("max_tokens") else defaults.max_tokens
    if not 0 <= temperature <= 10:  # false for NaN, too
        raise InvalidFieldError(f"{field}.temperature", f"must lie in 0 to 10, not {temperature:g}")
    if not 0 < top_p <= 1:
        raise InvalidFieldError(f"{field}.top_p", f"must be above 0 and at most 1, not {top_p:g}")
    _check_range(f"{field}.top_k", top_k, 0, 1_000_000)
    _check_range(f"{field}.max_tokens", max_tokens, 1, 65_536)
    if len(sampling.stop) > 16:
        raise InvalidFieldError(f"{field}.stop", f"must hold at most 16 strings, not {len(sampling.stop)}")
    for i, string in enumerate(sampling.stop):
        if not 1 <= len(string) <= 256:
            raise InvalidFieldError(f"{field}.stop[{i}]", f"must have 1 to 256 characters, not {len(string)}")
    return SamplingParams(temperature, top_p, top_k, max_tokens, tuple(sampling.stop))


def _check_range(field: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise InvalidFieldError(field, f"must lie in {low} to {high}, not {value}")


def _check_text(field: str, text: str) -> None:
    if not 1 <= len(text) <= MAX_TEXT:
        raise InvalidFieldError(field, f"must have 1 to {MAX_TEXT} characters, not {len(text)}")


def _check_version(field: str, version: str) -> None:
    if len(version) > _MAX_VERSION:
        raise InvalidFieldError(field, f"must have at most {_MAX_VERSION} characters, not {len(version)}")
