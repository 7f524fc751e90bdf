"""A client for each service of the inference servers."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import wraps
from types import TracebackType
from typing import Concatenate, ParamSpec, Self

import numpy as np
from numpy.typing import NDArray

from rdiverse.grpcio_kit.chunks import chunks
from rdiverse.grpcio_kit.client import Caller
from rdiverse.inference.client.types import Generated, Model, Proposed, Sample, SamplingLike, Solved, copied
from rdiverse.v1 import challenger_pb2, language_model_pb2, model_control_pb2, sampling_pb2, solver_pb2
from rdiverse.v1.challenger_pb2_grpc import ChallengerServiceStub
from rdiverse.v1.language_model_pb2_grpc import LanguageModelServiceStub
from rdiverse.v1.model_control_pb2_grpc import ModelControlServiceStub
from rdiverse.v1.solver_pb2_grpc import SolverServiceStub

P = ParamSpec("P")
TIMEOUT = 3600.0
"""Seconds that a batch of questions may take. A call without a deadline could hang for ever."""


class _Client:
    """A channel to one server. Close it, or use it in a with statement. Every method raises RpcFailure.

    `server_name`: what the certificate must name, when `address` is one pod's.
    """

    def __init__(self, address: str, server_name: str = "") -> None:
        self._caller = Caller(address, server_name=server_name)

    def close(self) -> None:
        """Close the channel."""
        self._caller.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class ChallengerClient(_Client):
    """Asks for questions."""

    def propose(
        self,
        count: int,
        *,
        seed: int | None = None,
        sampling: SamplingLike | None = None,
        expected_weights: str = "",
        first_index: int = 0,
        timeout: float = TIMEOUT,
    ) -> Iterator[Proposed]:
        """Draw `count` completions and give each as it finishes; `index` counts from `first_index`."""
        request = challenger_pb2.ProposeRequest(
            count=count, first_index=first_index, sampling=_sampling(sampling), seed=seed, expected_weights=expected_weights
        )
        stub = ChallengerServiceStub(self._caller.channel)
        responses = self._caller.stream_idempotent(
            "ChallengerService.Propose", lambda seconds: stub.Propose(request, timeout=seconds), timeout
        )
        for response in responses:
            formed = response.HasField("question")
            yield copied(
                Proposed,
                response,
                question=response.question if formed else None,
                answer=response.answer if formed else None,
                finish_reason=_finish(response.finish_reason),
            )


def _in_order(
    iter_solve: "Callable[Concatenate[SolverClient, P], Iterator[Solved]]",
) -> "Callable[Concatenate[SolverClient, P], list[Solved]]":
    """The same as a list, in the order of the questions."""

    @wraps(iter_solve)
    def solve(client: "SolverClient", /, *args: P.args, **kwargs: P.kwargs) -> list[Solved]:
        return sorted(iter_solve(client, *args, **kwargs), key=lambda solved: solved.index)

    return solve


class SolverClient(_Client):
    """Asks for answers."""

    def iter_solve(
        self,
        questions: Sequence[str],
        samples: int,
        *,
        seed: int | None = None,
        sampling: SamplingLike | None = None,
        expected_weights: str = "",
        return_samples: bool = False,
        drop_unboxed: bool = False,
        timeout: float = TIMEOUT,
    ) -> Iterator[Solved]:
        """Answer every question `samples` times and vote; gives each result as soon as it is there."""
        settings = solver_pb2.SolveSettings(
            samples=samples,
            sampling=_sampling(sampling),
            seed=seed,
            expected_weights=expected_weights,
            return_samples=return_samples,
            drop_unboxed=drop_unboxed,
        )
        stub = SolverServiceStub(self._caller.channel)
        responses = self._caller.stream_idempotent(
            "SolverService.Solve", lambda seconds: stub.Solve(_solve_requests(settings, questions), timeout=seconds), timeout
        )
        for response in responses:
            yield from map(_solved, response.problems)

    solve = _in_order(iter_solve)


class LanguageModelClient(_Client):
    """Asks for plain text and for vectors."""

    def generate(
        self,
        prompts: Sequence[tuple[str, str]],
        n: int = 1,
        *,
        seed: int | None = None,
        sampling: SamplingLike | None = None,
        stop: Sequence[str] = (),
        expected_weights: str = "",
        return_logprobs: bool = False,
        timeout: float = TIMEOUT,
    ) -> Iterator[Generated]:
        """Complete each (system, user) prompt `n` times and give each completion as it finishes."""
        request = language_model_pb2.GenerateRequest(
            prompts=[language_model_pb2.Prompt(system=system, user=user) for system, user in prompts],
            n=n,
            sampling=_sampling(sampling, stop),
            seed=seed,
            expected_weights=expected_weights,
            return_logprobs=return_logprobs,
        )
        stub = LanguageModelServiceStub(self._caller.channel)
        responses = self._caller.stream_idempotent(
            "LanguageModelService.Generate", lambda seconds: stub.Generate(request, timeout=seconds), timeout
        )
        for response in responses:
            logprobs, finish = tuple(response.logprobs), _finish(response.finish_reason)
            yield copied(Generated, response, logprobs=logprobs, finish_reason=finish)

    def embed(
        self, texts: Sequence[str], *, expected_weights: str = "", timeout: float = TIMEOUT
    ) -> tuple[NDArray[np.float32], str]:
        """Unit vectors, (texts, dimension) float32, and the version of the weights that made them."""
        request = language_model_pb2.EmbedRequest(texts=texts, expected_weights=expected_weights)
        stub = LanguageModelServiceStub(self._caller.channel)
        response = self._caller.idempotent(
            "LanguageModelService.Embed", lambda seconds: stub.Embed(request, timeout=seconds), timeout
        )
        vectors = np.frombuffer(response.vectors, dtype="<f4").reshape(len(texts), response.dimension).astype(np.float32)
        return vectors, response.weights


class ModelControlClient(_Client):
    """Asks what is served, and for other weights."""

    def get_model(self, *, timeout: float = 30.0) -> Model:
        """What is served now."""
        stub = ModelControlServiceStub(self._caller.channel)
        response = self._caller.idempotent(
            "ModelControlService.GetModel",
            lambda seconds: stub.GetModel(model_control_pb2.GetModelRequest(), timeout=seconds),
            timeout,
        )
        return copied(Model, response)

    def load_weights(self, path: str, version: str = "", *, timeout: float = 600.0) -> str:
        """Load a checkpoint directory that the server can read; returns the version that serves then."""
        request = model_control_pb2.LoadWeightsRequest(path=path, version=version)
        stub = ModelControlServiceStub(self._caller.channel)
        response = self._caller.idempotent(
            "ModelControlService.LoadWeights", lambda seconds: stub.LoadWeights(request, timeout=seconds), timeout
        )
        return response.weights


def _sampling(sampling: SamplingLike | None, stop: Sequence[str] = ()) -> sampling_pb2.Sampling:
    if sampling is None:
        return sampling_pb2.Sampling(stop=stop)
    return sampling_pb2.Sampling(
        temperature=sampling.temperature, top_p=sampling.top_p, top_k=sampling.top_k, max_tokens=sampling.max_tokens, stop=stop
    )


def _solve_requests(settings: solver_pb2.SolveSettings, questions: Iterable[str]) -> Iterator[solver_pb2.SolveRequest]:
    yield solver_pb2.SolveRequest(settings=settings)
    problems = (solver_pb2.Problem(index=index, question=question) for index, question in enumerate(questions))
    for chunk in chunks(problems, solver_pb2.Problem.ByteSize):
        yield solver_pb2.SolveRequest(chunk=solver_pb2.ProblemChunk(problems=chunk))


def _solved(problem: solver_pb2.SolvedProblem) -> Solved:
    samples = tuple(map(_sample, problem.samples))
    return copied(Solved, problem, answer=problem.answer if problem.boxed else None, samples=samples)


def _sample(sample: solver_pb2.SolveSample) -> Sample:
    answer = sample.answer if sample.HasField("answer") else None
    return copied(Sample, sample, answer=answer, finish_reason=_finish(sample.finish_reason))


def _finish(reason: sampling_pb2.FinishReason.ValueType) -> str:
    return sampling_pb2.FinishReason.Name(reason).removeprefix("FINISH_REASON_").lower()
