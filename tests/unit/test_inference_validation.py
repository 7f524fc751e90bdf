"""Field rules of the protos: what breaks one is named."""

import pytest

from rdiverse.config import SamplingConfig
from rdiverse.grpcio_kit.errors import InvalidFieldError
from rdiverse.inference.servicers import validation
from rdiverse.lm.tokenizer import cut_at_stop
from rdiverse.v1.challenger_pb2 import ProposeRequest
from rdiverse.v1.language_model_pb2 import EmbedRequest, GenerateRequest, Prompt
from rdiverse.v1.model_control_pb2 import LoadWeightsRequest
from rdiverse.v1.sampling_pb2 import Sampling
from rdiverse.v1.solver_pb2 import Problem, ProblemChunk, SolveSettings

DEFAULTS = SamplingConfig(top_k=40, max_tokens=100)
FINE = [Prompt(user="x")]


@pytest.mark.parametrize(
    ("sampling", "field"),
    [
        (Sampling(temperature=-1), "temperature"),
        (Sampling(temperature=10.5), "temperature"),
        (Sampling(temperature=float("nan")), "temperature"),
        (Sampling(temperature=float("inf")), "temperature"),
        (Sampling(top_p=0), "top_p"),
        (Sampling(top_p=1.01), "top_p"),
        (Sampling(top_p=float("nan")), "top_p"),
        (Sampling(top_k=-1), "top_k"),
        (Sampling(top_k=1_000_001), "top_k"),
        (Sampling(max_tokens=0), "max_tokens"),
        (Sampling(max_tokens=65_537), "max_tokens"),
        (Sampling(stop=["x"] * 17), "stop"),
        (Sampling(stop=["fine", ""]), "stop[1]"),
        (Sampling(stop=["x" * 257]), "stop[0]"),
    ],
)
def test_sampling_out_of_range_is_named(sampling, field):
    with pytest.raises(InvalidFieldError) as caught:
        validation.read_sampling(sampling, DEFAULTS)
    assert caught.value.violations[0].field == f"sampling.{field}"


def test_what_is_left_out_takes_the_roles_default():
    params = validation.read_sampling(Sampling(temperature=0.5, stop=["\n"]), DEFAULTS)
    assert (params.temperature, params.top_p, params.top_k, params.max_tokens, params.stop) == (0.5, 1.0, 40, 100, ("\n",))


@pytest.mark.parametrize(
    ("read", "message", "field"),
    [
        (validation.read_generate, GenerateRequest(prompts=FINE, n=0), "n"),
        (validation.read_generate, GenerateRequest(prompts=FINE, n=10_000), "n"),
        (validation.read_generate, GenerateRequest(prompts=FINE, n=2, sampling=Sampling(temperature=0)), "n"),
        (validation.read_generate, GenerateRequest(n=1), "prompts"),
        (validation.read_generate, GenerateRequest(prompts=FINE * 4097, n=1), "prompts"),
        (validation.read_generate, GenerateRequest(prompts=[*FINE, Prompt(user="")], n=1), "prompts[1].user"),
        (validation.read_generate, GenerateRequest(prompts=[Prompt(user="x" * 2**20)], n=1), "prompts[0].user"),
        (validation.read_generate, GenerateRequest(prompts=[Prompt(user="x", system="x" * 65_537)], n=1), "prompts[0].system"),
        (validation.read_generate, GenerateRequest(prompts=FINE, n=1, expected_weights="x" * 257), "expected_weights"),
        (validation.read_propose, ProposeRequest(count=0), "count"),
        (validation.read_propose, ProposeRequest(count=100_001), "count"),
        (validation.read_propose, ProposeRequest(count=1, first_index=-1), "first_index"),
        (validation.read_propose, ProposeRequest(count=2, sampling=Sampling(temperature=0)), "count"),
        (validation.read_settings, SolveSettings(samples=0), "settings.samples"),
        (validation.read_settings, SolveSettings(samples=1025), "settings.samples"),
        (validation.read_settings, SolveSettings(samples=10, sampling=Sampling(temperature=0)), "settings.samples"),
        (
            validation.read_settings,
            SolveSettings(samples=1, sampling=Sampling(temperature=-1)),
            "settings.sampling.temperature",
        ),
    ],
)
def test_the_field_that_breaks_its_rule_is_named(read, message, field):
    with pytest.raises(InvalidFieldError) as caught:
        read(message, DEFAULTS)
    assert caught.value.violations[0].field == field


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (GenerateRequest(n=1), "prompts: must hold at least one prompt"),
        (GenerateRequest(prompts=FINE * 4097, n=1), "prompts: must hold at most 4096 prompts, holds 4097"),
        (GenerateRequest(prompts=[Prompt()], n=1), "prompts[0].user: must not be empty"),
        (
            GenerateRequest(prompts=[Prompt(user="x" * 65_537)], n=1),
            "prompts[0].user: must have at most 65536 characters, has 65537",
        ),
        (GenerateRequest(prompts=FINE, n=1025), "n: must be between 1 and 1024, is 1025"),
        (
            GenerateRequest(prompts=FINE, n=1, sampling=Sampling(temperature=11)),
            "sampling.temperature: must be between 0 and 10, is 11.0",
        ),
        (
            GenerateRequest(prompts=FINE, n=1, sampling=Sampling(top_p=0)),
            "sampling.top_p: must be above 0 and at most 1, is 0.0",
        ),
        (
            GenerateRequest(prompts=FINE, n=2, sampling=Sampling(temperature=0)),
            "n: must be 1 at temperature 0, where all completions are the same, is 2",
        ),
    ],
)
def test_an_error_says_what_must_be_and_what_is(request_, text):
    with pytest.raises(InvalidFieldError) as caught:
        validation.read_generate(request_, DEFAULTS)
    assert str(caught.value) == text


def test_a_request_becomes_what_an_engine_understands():
    sampling = Sampling(temperature=0.5)
    whole = validation.read_propose(ProposeRequest(count=7, first_index=3, seed=0, sampling=sampling), DEFAULTS)
    assert (whole.n, whole.first_sample, whole.seed, whole.params.temperature, whole.params.top_k) == (7, 3, 0, 0.5, 40)
    for_each = validation.read_settings(SolveSettings(samples=2, expected_weights="v"), DEFAULTS)
    assert (for_each.n, for_each.seed, for_each.expected_weights, for_each.allow_too_long) == (2, None, "v", True)
    asked = validation.read_generate(GenerateRequest(prompts=FINE, n=1, return_logprobs=True), DEFAULTS)
    assert ([prompt.user for prompt in asked.prompts], asked.logprobs, asked.allow_too_long) == (["x"], True, False)


@pytest.mark.parametrize(
    ("problem", "field"),
    [
        (Problem(index=-1, question="x"), "problem.index"),
        (Problem(index=3, question="x"), "problem.index"),
        (Problem(index=4, question=""), "problem[4].question"),
        (Problem(index=4, question="x" * 65_537), "problem[4].question"),
    ],
)
def test_a_problem_names_the_field(problem, field):
    with pytest.raises(InvalidFieldError) as caught:
        validation.check_chunk(ProblemChunk(problems=[Problem(index=5, question="fine"), problem]), {3})
    assert caught.value.violations[0].field == field


def test_a_chunk_holds_1_to_1024_problems_whose_indices_are_new_in_the_call():
    seen = {3}
    validation.check_chunk(ProblemChunk(problems=[Problem(index=i, question="x") for i in range(4, 1028)]), seen)
    assert seen == set(range(3, 1028))
    for count, fault in ((0, "must hold at least one problem"), (1025, "must hold at most 1024 problems, holds 1025")):
        with pytest.raises(InvalidFieldError, match=f"chunk.problems: {fault}"):
            validation.check_chunk(ProblemChunk(problems=[Problem(index=2000 + i, question="x") for i in range(count)]), seen)


def test_embed_and_load_name_the_field():
    for check, request_, field in [
        (validation.check_embed, EmbedRequest(), "texts"),
        (validation.check_embed, EmbedRequest(texts=["fine", ""]), "texts[1]"),
        (validation.check_load, LoadWeightsRequest(), "path"),
        (validation.check_load, LoadWeightsRequest(path="a\0b"), "path"),
        (validation.check_load, LoadWeightsRequest(path="a", version="x" * 257), "version"),
    ]:
        with pytest.raises(InvalidFieldError) as caught:
            check(request_)
        assert caught.value.violations[0].field == field


@pytest.mark.parametrize(
    ("text", "stop", "kept"),
    [("abc", (), "abc"), ("abc", ("x",), "abc"), ("abcabc", ("c", "bc"), "a"), ("stop", ("stop",), ""), ("a\nb", ("\n",), "a")],
)
def test_a_completion_ends_before_the_first_stop_string(text, stop, kept):
    assert cut_at_stop(text, stop) == kept
