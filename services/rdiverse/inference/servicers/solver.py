"""SolverService: answers questions several times each and votes beside the model.

1. The first message holds the settings: how each problem is to be answered.
2. Problems stream in after it and are gathered into windows (`windows`). With a seed that promises the same text (the
   transformers engine) only full ones are taken: the same problems in the same order must then meet the same batches,
   however they were sent.
3. The engine works on two windows at a time.
4. A problem whose samples are all there goes to the vote (`voting`), in a thread beside the event loop.
5. Votes stream out as they are counted, those of a moment in a message.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rdiverse.grpcio_kit.chunks import chunks
from rdiverse.grpcio_kit.errors import InvalidFieldError
from rdiverse.inference import metrics
from rdiverse.inference.engines.engine import Completion, GenerationRequest
from rdiverse.inference.host import ModelHost
from rdiverse.inference.servicers.validation import check_chunk, read_settings
from rdiverse.inference.servicers.voting import CountedVote, VoteCounter
from rdiverse.inference.servicers.windows import then_none, windows
from rdiverse.inference.servicers.wire import finish_reason
from rdiverse.v1.solver_pb2 import Problem, SolveRequest, SolveResponse, SolveSettings
from rdiverse.v1.solver_pb2_grpc import SolverServiceServicer

_WINDOWS_AT_ONCE = 2
"""While one window's tail is drawn the next is ready."""
_UNREAD_RESPONSES = 16
"""Messages of votes that may wait for a caller who reads slowly."""

_Answered = tuple[Problem, list[Completion]]


@dataclass
class _SolveCall:
    """One Solve call under way."""

    settings: SolveSettings
    request: GenerationRequest
    """What is asked of the engine for every window, save its prompts."""
    window: int
    """Problems in a full window."""
    patient: bool
    """Whether a window waits for its last problem however long that takes."""
    responses: "asyncio.Queue[SolveResponse | None]" = field(default_factory=lambda: asyncio.Queue(_UNREAD_RESPONSES))


class SolverServicer(SolverServiceServicer):
    """Solves with the model of the host and has the votes counted."""

    def __init__(self, host: ModelHost, counter: VoteCounter) -> None:
        self._host = host
        self._counter = counter

    async def Solve(self, request_iterator: AsyncIterator[SolveRequest], context: Any) -> AsyncIterator[SolveResponse]:  # noqa: ARG002, N802
        """See proto/rdiverse/v1/solver.proto."""
        call = await self._begin(request_iterator)
        work = asyncio.create_task(then_none(self._work(call, request_iterator), call.responses))
        try:
            while (response := await call.responses.get()) is not None:
                yield response
            await work
        finally:
            work.cancel()
            await asyncio.wait({work})

    async def _begin(self, requests: AsyncIterator[SolveRequest]) -> _SolveCall:
        """Step 1."""
        async for message in requests:
            if message.WhichOneof("payload") != "settings":
                break
            request = read_settings(message.settings, self._host.defaults())
            self._host.check_weights(request.expected_weights)
            self._host.check_room()
            window = max(1, self._host.window_rows // request.n)
            patient = request.seed is not None and self._host.engine.exact_seeds
            return _SolveCall(message.settings, request, window, patient)
        raise InvalidFieldError("settings", "must be the first message of the call")

    async def _work(self, call: _SolveCall, requests: AsyncIterator[SolveRequest]) -> None:
        """Steps 2 and 3. Raises the first error of any part."""
        places = asyncio.Semaphore(_WINDOWS_AT_ONCE)
        first = 0

        async def solve(problems: list[Problem], first: int) -> None:
            try:
                await self._solve(call, problems, first)
            finally:
                places.release()

        try:
            async with asyncio.TaskGroup() as tasks:
                async for window in windows(_problems(requests), call.window, patient=call.patient):
                    await places.acquire()
                    tasks.create_task(solve(window, first))
                    first += len(window)
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None

    async def _solve(self, call: _SolveCall, problems: list[Problem], first: int) -> None:
        """Steps 3 and 4 of one window, whose first problem is the call's `first`."""
        prompts = [self._host.config.prompts.solver.template.render(problem.question) for problem in problems]
        request = replace(call.request, prompts=prompts, first_prompt=first)
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

    async def _vote(self, call: _SolveCall, answered: "asyncio.Queue[_Answered | None]") -> None:
        """Respond to what is put into a queue, all that is there at a time, until None comes."""
        more = True
        while more:
            found = [await answered.get()]
            while not answered.empty():
                found.append(answered.get_nowait())
            more = found[-1] is not None
            await self._respond(call, [each for each in found if each is not None])

    async def _respond(self, call: _SolveCall, answered: list[_Answered]) -> None:
        """Steps 4 and 5."""
        for _, samples in answered:
            samples.sort(key=lambda sample: sample.sample_index)
        while answered:
            texts = [[sample.text for sample in samples] for _, samples in answered]
            votes = await self._counter.count(texts, drop_unboxed=call.settings.drop_unboxed)
            counted, answered = list(zip(answered[: len(votes)], votes, strict=True)), answered[len(votes) :]
            for (_, samples), vote in counted:
                metrics.VOTES.inc()
                metrics.SHARES.observe(vote.vote.share)
                metrics.UNBOXED.inc(len(samples) - vote.vote.boxed)
                metrics.GRADER_TIMEOUTS.inc(vote.timeouts)
                metrics.TOO_LONG.inc(samples[0].prompt_tokens >= self._host.engine.max_model_len)
            for chunk in chunks(counted, _size):
                await call.responses.put(_response(call.settings, chunk))


async def _problems(requests: AsyncIterator[SolveRequest]) -> AsyncIterator[Sequence[Problem]]:
    """The problems of every message after the first, checked."""
    seen: set[int] = set()
    async for request in requests:
        if request.WhichOneof("payload") != "chunk":
            raise InvalidFieldError("chunk", "must be the payload of every message after the first")
        check_chunk(request.chunk, seen)
        yield request.chunk.problems


def _size(counted: tuple[_Answered, CountedVote]) -> int:
    """Characters of text in a problem's samples; the rest of what is sent of it is small."""
    (_, samples), _ = counted
    return sum(len(sample.text) for sample in samples)


def _response(settings: SolveSettings, counted: Sequence[tuple[_Answered, CountedVote]]) -> SolveResponse:
    """The message of some problems, every part of it made in its place.

    A part made by itself has memory of its own, and with every 10,000th piece that protobuf frees it has glibc give all free
    memory of the process back to the system: the engine's too, which then faults it in again page by page.
    """
    response = SolveResponse()
    for (problem, samples), (vote, majority, answers, timeouts) in counted:
        solved = response.problems.add(
            index=problem.index,
            answer=majority or "",
            share=vote.share,
            votes=vote.votes,
            boxed=vote.boxed,
            grader_timeouts=timeouts,
            weights=samples[0].weights,
        )
        if not settings.return_samples:
            continue
        for sample, answer, agrees in zip(samples, answers, vote.agrees, strict=True):
            solved.samples.add(
                answer=answer,
                agrees=agrees,
                text=sample.text,
                finish_reason=finish_reason(sample),
                completion_tokens=sample.completion_tokens,
            )
    return response
