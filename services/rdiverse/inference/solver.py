"""SolverService: answers questions several times each and votes beside the model.

Problems stream in and are gathered into windows, which the engine works on two at a time; results stream out as their votes
are cast. A window is closed by its count, by the end of the stream, and by a short silence; the last not where a seed promises
the same text (the transformers engine): there the same problems in the same order must meet the same batches, however
they were sent.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rdiverse.grpcio_kit.errors import InvalidFieldError, OverloadedError
from rdiverse.inference import metrics
from rdiverse.inference.engine import Completion, Finish, GenerationRequest, SamplingParams
from rdiverse.inference.host import ModelHost
from rdiverse.inference.judging import Judge, Verdict
from rdiverse.inference.validation import check_problem, check_settings
from rdiverse.inference.wire import finish_reason
from rdiverse.v1.solver_pb2 import Problem, SolveRequest, SolveResponse, SolveSample, SolveSettings
from rdiverse.v1.solver_pb2_grpc import SolverServiceServicer

_WINDOW_BATCHES = 4
"""Batches of the engine in a window; sorting by length needs some to choose from."""
_WINDOWS_AT_ONCE = 2
"""While one window's tail is drawn the next is ready."""
_SILENCE_SECONDS = 0.005
_UNREAD_RESPONSES = 1024


@dataclass
class _Call:
    """One Solve call under way."""

    settings: SolveSettings
    params: SamplingParams
    window: int
    """Problems in a full window."""
    patient: bool
    """Whether a window waits for its last problem however long that takes."""
    responses: "asyncio.Queue[SolveResponse | None]" = field(default_factory=lambda: asyncio.Queue(_UNREAD_RESPONSES))

    @property
    def seed(self) -> int | None:
        return self.settings.seed if self.settings.HasField("seed") else None


class SolverServicer(SolverServiceServicer):
    """Solves with the model of the host and lets the judge vote."""

    def __init__(self, host: ModelHost, judge: Judge) -> None:
        self._host = host
        self._judge = judge

    async def Solve(self, request_iterator: AsyncIterator[SolveRequest], context: Any) -> AsyncIterator[SolveResponse]:  # noqa: ARG002, N802
        """See proto/rdiverse/v1/solver.proto."""
        call = await self._begin(request_iterator)
        work = asyncio.create_task(_then_none(self._work(call, request_iterator), call.responses))
        try:
            while (response := await call.responses.get()) is not None:
                yield response
            await work
        finally:
            work.cancel()
            await asyncio.wait({work})

    async def _begin(self, requests: AsyncIterator[SolveRequest]) -> _Call:
        async for request in requests:
            if request.WhichOneof("payload") != "settings":
                break
            settings = request.settings
            params = check_settings(settings, self._host.config.solver.sampling)
            self._host.expect(settings.expected_weights)
            waiting, most = self._host.engine.waiting_rows, self._host.config.inference.max_queue_rows
            if waiting >= most:
                raise OverloadedError(f"{waiting} sequences wait already, at most {most} may")
            rows = _WINDOW_BATCHES * self._host.max_batch_rows
            patient = settings.HasField("seed") and self._host.engine.exact_seeds
            return _Call(settings, params, window=max(1, rows // settings.samples), patient=patient)
        raise InvalidFieldError("settings", "must be the first message of the call")

    async def _work(self, call: _Call, requests: AsyncIterator[SolveRequest]) -> None:
        """Read all problems and answer them. Raises the first error of any part."""
        places = asyncio.Semaphore(_WINDOWS_AT_ONCE)
        first = 0

        async def solve(problems: list[Problem], first: int) -> None:
            try:
                await self._solve(call, problems, first)
            finally:
                places.release()

        try:
            async with asyncio.TaskGroup() as tasks:
                async for window in _windows(call, requests):
                    await places.acquire()
                    tasks.create_task(solve(window, first))
                    first += len(window)
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None

    async def _solve(self, call: _Call, problems: list[Problem], first: int) -> None:
        prompts = [self._host.config.prompts.solver.template.render(problem.question) for problem in problems]
        lengths = await self._host.engine.prompt_lengths(prompts)
        fits = [i for i, length in enumerate(lengths) if length < self._host.engine.max_model_len]
        async with asyncio.TaskGroup() as tasks:
            for i in set(range(len(problems))).difference(fits):
                metrics.TOO_LONG.inc()
                tasks.create_task(self._judge_one(call, problems[i], _no_room(call, lengths[i], self._host.engine.version)))
            if not fits:
                return
            request = GenerationRequest(
                prompts=[prompts[i] for i in fits],
                n=call.settings.samples,
                params=call.params,
                seed=call.seed,
                first_prompt=first,
                expected_weights=call.settings.expected_weights,
            )
            samples: dict[int, list[Completion]] = {}
            async for completion in self._host.generate(request, "problem"):
                position = completion.prompt_index - first
                found = samples.setdefault(position, [])
                found.append(completion)
                if len(found) == call.settings.samples:
                    tasks.create_task(self._judge_one(call, problems[fits[position]], samples.pop(position)))

    async def _judge_one(self, call: _Call, problem: Problem, samples: list[Completion]) -> None:
        samples.sort(key=lambda sample: sample.sample_index)
        verdict = await self._judge.vote([sample.text for sample in samples], drop_unboxed=call.settings.drop_unboxed)
        metrics.VOTES.inc()
        metrics.SHARES.observe(verdict.vote.share)
        metrics.UNBOXED.inc(len(samples) - verdict.vote.boxed)
        metrics.GRADER_TIMEOUTS.inc(verdict.timeouts)
        await call.responses.put(_response(call.settings, problem, samples, verdict))


async def _windows(call: _Call, requests: AsyncIterator[SolveRequest]) -> AsyncIterator[list[Problem]]:
    """Gather problems. Raises InvalidFieldError."""
    arrived: asyncio.Queue[Problem | None] = asyncio.Queue(call.window)

    async def read() -> None:
        seen: set[int] = set()
        async for request in requests:
            if request.WhichOneof("payload") != "problem":
                raise InvalidFieldError("problem", "must be what every message after the first holds")
            check_problem(request.problem, seen)
            await arrived.put(request.problem)

    reader = asyncio.create_task(_then_none(read(), arrived))
    try:
        window: list[Problem] = []
        ended = False
        while not ended:
            problem = await _next(arrived, patient=call.patient or not window)
            if isinstance(problem, Problem):
                window.append(problem)
            ended = problem is None
            if window and (ended or problem is _SILENCE or len(window) == call.window):
                if ended:
                    await reader  # an invalid problem spoils the call before its window is computed
                yield window
                window = []
        await reader
    finally:
        reader.cancel()


async def _then_none(work: Awaitable[None], queue: asyncio.Queue[Any]) -> None:
    """Do the work, then tell the queue's reader that no more comes. When this is cancelled nobody reads any more."""
    try:
        await work
    except Exception:
        await queue.put(None)
        raise
    await queue.put(None)


_SILENCE = object()


async def _next(arrived: "asyncio.Queue[Problem | None]", *, patient: bool) -> object:
    """The next problem, None at the end, or _SILENCE when none came for a while."""
    if patient:
        return await arrived.get()
    try:
        return await asyncio.wait_for(arrived.get(), _SILENCE_SECONDS)
    except TimeoutError:
        return _SILENCE


def _no_room(call: _Call, prompt_tokens: int, weights: str) -> list[Completion]:
    """What a question that fills the model's context gets: samples of no token."""
    return [Completion(0, i, "", Finish.LENGTH, prompt_tokens, 0, weights) for i in range(call.settings.samples)]


def _response(settings: SolveSettings, problem: Problem, samples: Sequence[Completion], verdict: Verdict) -> SolveResponse:
    vote = verdict.vote
    response = SolveResponse(
        index=problem.index,
        answer=verdict.answer or "",
        share=vote.share,
        votes=vote.votes,
        boxed=vote.boxed,
        grader_timeouts=verdict.timeouts,
        weights=samples[0].weights,
    )
    if settings.return_samples:
        response.samples.extend(
            SolveSample(
                answer=answer,
                agrees=agrees,
                text=sample.text,
                finish_reason=finish_reason(sample),
                completion_tokens=sample.completion_tokens,
            )
            for sample, answer, agrees in zip(samples, verdict.answers, vote.agrees, strict=True)
        )
    return response
