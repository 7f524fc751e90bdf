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

from rdiverse.grpcio_kit.chunks import chunks
from rdiverse.grpcio_kit.errors import InvalidFieldError, OverloadedError
from rdiverse.inference import metrics
from rdiverse.inference.engines.engine import Completion, GenerationRequest
from rdiverse.inference.host import ModelHost
from rdiverse.inference.servicers.judging import Judge, Verdict
from rdiverse.inference.servicers.validation import check_chunk, check_settings
from rdiverse.inference.servicers.wire import finish_reason
from rdiverse.lm.sampling_params import SamplingParams
from rdiverse.v1.solver_pb2 import Problem, SolveRequest, SolveResponse, SolveSettings
from rdiverse.v1.solver_pb2_grpc import SolverServiceServicer

_WINDOW_BATCHES = 4
"""Batches of the engine in a window; sorting by length needs some to choose from."""
_WINDOWS_AT_ONCE = 2
"""While one window's tail is drawn the next is ready."""
_SILENCE_SECONDS = 0.005
_UNREAD_RESPONSES = 16
"""Messages of votes that may wait for a caller who reads slowly."""
_UNREAD_CHUNKS = 1
"""Chunks of problems that may wait for room in a window."""

_Answered = tuple[Problem, list[Completion]]


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
        request = GenerationRequest(
            prompts=prompts,
            n=call.settings.samples,
            params=call.params,
            seed=call.seed,
            first_prompt=first,
            expected_weights=call.settings.expected_weights,
            allow_too_long=True,
        )
        answered: asyncio.Queue[_Answered | None] = asyncio.Queue()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._vote(call, answered))
            drawn: dict[int, list[Completion]] = {}
            async for completion in self._host.generate(request):
                position = completion.prompt_index - first
                found = drawn.setdefault(position, [])
                found.append(completion)
                if len(found) == request.n:
                    answered.put_nowait((problems[position], drawn.pop(position)))
            answered.put_nowait(None)

    async def _vote(self, call: _Call, answered: "asyncio.Queue[_Answered | None]") -> None:
        """Respond to what is put into a queue, all that is there at a time, until None comes."""
        more = True
        while more:
            found = [await answered.get()]
            while not answered.empty():
                found.append(answered.get_nowait())
            more = found[-1] is not None
            await self._respond(call, [each for each in found if each is not None])

    async def _respond(self, call: _Call, answered: list[_Answered]) -> None:
        for _, samples in answered:
            samples.sort(key=lambda sample: sample.sample_index)
        while answered:
            texts = [[sample.text for sample in samples] for _, samples in answered]
            verdicts = await self._judge.votes(texts, drop_unboxed=call.settings.drop_unboxed)
            judged, answered = answered[: len(verdicts)], answered[len(verdicts) :]
            for (_, samples), verdict in zip(judged, verdicts, strict=True):
                metrics.VOTES.inc()
                metrics.SHARES.observe(verdict.vote.share)
                metrics.UNBOXED.inc(len(samples) - verdict.vote.boxed)
                metrics.GRADER_TIMEOUTS.inc(verdict.timeouts)
                metrics.TOO_LONG.inc(samples[0].prompt_tokens >= self._host.engine.max_model_len)
            for chunk in chunks(zip(judged, verdicts, strict=True), _size):
                await call.responses.put(_response(call.settings, chunk))


async def _windows(call: _Call, requests: AsyncIterator[SolveRequest]) -> AsyncIterator[list[Problem]]:
    """Gather problems. Raises InvalidFieldError."""
    arrived: asyncio.Queue[Sequence[Problem] | None] = asyncio.Queue(_UNREAD_CHUNKS)

    async def read() -> None:
        seen: set[int] = set()
        async for request in requests:
            if request.WhichOneof("payload") != "chunk":
                raise InvalidFieldError("chunk", "must be what every message after the first holds")
            check_chunk(request.chunk, seen)
            await arrived.put(request.chunk.problems)

    reader = asyncio.create_task(_then_none(read(), arrived))
    try:
        window: list[Problem] = []
        ended = False
        while not ended:
            chunk = await _next(arrived, patient=call.patient or not window)
            ended = chunk is None
            window += chunk or ()
            if ended:
                await reader  # an invalid problem spoils the call before its window is computed
            while len(window) >= call.window or (window and not chunk):
                yield window[: call.window]
                del window[: call.window]
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


async def _next(arrived: "asyncio.Queue[Sequence[Problem] | None]", *, patient: bool) -> Sequence[Problem] | None:
    """The next chunk, an empty one when none came for a while, None at the end."""
    if patient:
        return await arrived.get()
    try:
        return await asyncio.wait_for(arrived.get(), _SILENCE_SECONDS)
    except TimeoutError:
        return ()


def _size(judged: tuple[_Answered, Verdict]) -> int:
    """Characters of text in a problem's samples; the rest of what is sent of it is small."""
    (_, samples), _ = judged
    return sum(len(sample.text) for sample in samples)


def _response(settings: SolveSettings, judged: Sequence[tuple[_Answered, Verdict]]) -> SolveResponse:
    """The message of some problems, every part of it made in its place.

    A part made by itself has memory of its own, and with every 10,000th piece that protobuf frees it has glibc give all free
    memory of the process back to the system: the engine's too, which then faults it in again page by page.
    """
    response = SolveResponse()
    for (problem, samples), verdict in judged:
        vote = verdict.vote
        solved = response.problems.add(
            index=problem.index,
            answer=verdict.answer or "",
            share=vote.share,
            votes=vote.votes,
            boxed=vote.boxed,
            grader_timeouts=verdict.timeouts,
            weights=samples[0].weights,
        )
        if not settings.return_samples:
            continue
        for sample, answer, agrees in zip(samples, verdict.answers, vote.agrees, strict=True):
            solved.samples.add(
                answer=answer,
                agrees=agrees,
                text=sample.text,
                finish_reason=finish_reason(sample),
                completion_tokens=sample.completion_tokens,
            )
    return response
