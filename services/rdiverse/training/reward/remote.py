"""Solver and diversity over the wire: patient with one that restarts, never with one that is gone."""

import logging
import os
import time
from collections.abc import Callable, Sequence
from typing import Self, TypeVar

import grpc

from rdiverse.config import RunConfig
from rdiverse.diversity.client import Distance, DiversityClient, Representation
from rdiverse.grpcio_kit.client import RpcFailure
from rdiverse.inference.client import SolverClient
from rdiverse.selfplay.methods import Similarity, memory_name
from rdiverse.selfplay.seeds import derive_seed
from rdiverse.training.errors import TrainingError
from rdiverse.training.launch.phase import Phase
from rdiverse.training.reward.services import Repetition

T = TypeVar("T")
logger = logging.getLogger(__name__)

GONE_SECONDS = 120.0
"""A service that has been unreachable for this long is taken for gone: a server on a cluster restarts in less."""
PAUSE_SECONDS = 1.0
PASSING = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED}
"""Away or overloaded: asked again."""

SCORED_BY: dict[Similarity, tuple[Distance, Representation]] = {
    Similarity.PROGRAM: ("cosine", "program"),
    Similarity.TEXT: ("cosine", "text"),
    # BLEU clusters words: nothing is embedded, against a memory that does not exist.
    Similarity.BLEU: ("bleu", "text"),
}


class RemoteServices:
    """The services that the environment names (RDIVERSE_SOLVER_ADDRESS, RDIVERSE_DIVERSITY_ADDRESS)."""

    def __init__(self, phase: Phase, config: RunConfig, gone_seconds: float = GONE_SECONDS) -> None:
        self._phase = phase
        self._config = config
        self._reward = config.challenger.reward
        self._gone_seconds = gone_seconds
        self._solver = SolverClient(address("solver"))
        self._diversity = DiversityClient(address("diversity"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._solver.close()
        self._diversity.close()

    def shares(self, step: int, questions: Sequence[str]) -> list[float]:
        """The Solver's self-consistency of each question (m samples, drawn anew at every step)."""
        reward = self._reward

        def solve(timeout: float) -> list[float]:
            solved = self._solver.solve(
                questions,
                samples=reward.samples,
                seed=derive_seed(self._phase.seed, "solve", step),
                sampling=reward.solver_sampling,
                expected_weights=self._phase.solver_weights,
                timeout=timeout,
            )
            return [answer.share for answer in solved]

        return self._patiently("Solver", solve, len(questions))

    def repetitions(self, questions: Sequence[str], similarity: Similarity) -> list[Repetition]:
        """The penalties of each question, against the memory of earlier iterations."""
        distance, representation = SCORED_BY[similarity]

        def score(timeout: float) -> list[Repetition]:
            found = self._diversity.score(
                memory_name(self._phase.run, similarity),
                questions,
                before_iteration=self._phase.iteration,
                penalty=self._config.penalty,
                distance=distance,
                representation=representation,
                timeout=timeout,
            )
            return [Repetition(each.p_rep, each.p_map, bool(each.failure)) for each in found.scores]

        return self._patiently("diversity", score, len(questions))

    def _patiently(self, service: str, call: Callable[[float], list[T]], count: int) -> list[T]:
        """Make a call that only reads, again while the service cannot be reached, within the reward's time.

        Raises TrainingError that names the service when it stays away, answers with an error or with too few answers.
        """
        begin = time.monotonic()
        away_since: float | None = None
        while True:
            try:
                answers = call(self._reward.timeout_seconds - (time.monotonic() - begin))
            except RpcFailure as failure:
                now = time.monotonic()
                away_since = away_since or now
                if failure.code not in PASSING:
                    raise TrainingError(f"the {service} service failed: {failure}") from failure
                left = self._reward.timeout_seconds - (now - begin)
                if now - away_since >= self._gone_seconds or left <= 2 * PAUSE_SECONDS:
                    raise TrainingError(
                        f"the {service} service could not be reached for {now - begin:.0f} s: {failure}"
                    ) from failure
                logger.warning("the %s service cannot be reached, asking again: %s", service, failure)
                time.sleep(PAUSE_SECONDS)
                continue
            if len(answers) != count:
                raise TrainingError(f"the {service} service gave {len(answers)} answers to {count} questions")
            return answers


def address(service: str) -> str:
    """Where a service is reached. Raises TrainingError when the environment does not say."""
    name = f"RDIVERSE_{service.upper()}_ADDRESS"
    try:
        return os.environ[name]
    except KeyError:
        raise TrainingError(f"{name} is not set: the Challenger's reward needs the {service} service") from None
