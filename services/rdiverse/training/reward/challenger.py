"""The Challenger's reward, R_unc - alpha P_rep - beta P_MAP, over a whole step (docs/method.md, "Challenger reward")."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from rdiverse.config import RunConfig
from rdiverse.selfplay.methods import TRAITS, Similarity
from rdiverse.selfplay.parsing import parse_proposal
from rdiverse.selfplay.rewards import challenger_reward, malformed_reward, uncertainty
from rdiverse.training.exchange import Exchange
from rdiverse.training.reward.services import Repetition, Services


@dataclass(frozen=True)
class ChallengerReward:
    """Asks Solver and diversity side by side, on rank 0, once a step."""

    config: RunConfig
    services: Services | None
    """None on all ranks but the first."""
    exchange: Exchange

    def __call__(self, step: int, completions: Sequence[str], answers: Sequence[str]) -> list[dict[str, float]]:
        """Score this rank's completions; every rank calls this at the same step.

        Terms: uncertainty, p_rep and p_map (0 for a malformed completion), malformed, no_program (0 or 1).
        """
        del answers
        return self.exchange.on_first_rank(list(completions), lambda texts: self.score(step, texts))

    def score(self, step: int, completions: Sequence[str]) -> list[dict[str, float]]:
        """Score all completions of step `step`, whichever rank wrote them."""
        settings, penalty = self.config.challenger.reward, self.config.penalty
        questions = [proposal.question if (proposal := parse_proposal(text)) else None for text in completions]
        shares, repetitions = self._ask(step, [question for question in questions if question is not None])
        malformed = malformed_reward(settings.alpha, settings.beta, penalty, settings.compat)
        asked = iter(zip(shares, repetitions, strict=True))
        scored = []
        for question in questions:
            if question is None:
                scored.append(_terms(malformed, 0.0, Repetition(0.0, 0.0, failed=False), malformed=True))
                continue
            share, repetition = next(asked)
            unsure = uncertainty(share, settings.uncertainty)
            reward = challenger_reward(unsure, repetition.p_rep, repetition.p_map, settings.alpha, settings.beta)
            scored.append(_terms(reward, unsure, repetition, malformed=False))
        return scored

    def _ask(self, step: int, questions: list[str]) -> tuple[list[float], list[Repetition]]:
        if not questions:
            return [], []
        traits = TRAITS[self.config.method]
        assert self.services is not None  # noqa: S101 - only the first rank asks
        with ThreadPoolExecutor(2, thread_name_prefix="reward") as pool:
            shares = pool.submit(self.services.shares, step, questions)
            if traits.similarity is Similarity.NONE:
                return shares.result(), [Repetition(0.0, 0.0, failed=False)] * len(questions)
            repetitions = pool.submit(self.services.repetitions, questions, traits.similarity)
            found = repetitions.result()
            if not traits.memory_penalty:
                found = [Repetition(each.p_rep, 0.0, each.failed) for each in found]
            return shares.result(), found


def _terms(reward: float, unsure: float, repetition: Repetition, malformed: bool) -> dict[str, float]:
    return {
        "reward": reward,
        "uncertainty": unsure,
        "p_rep": repetition.p_rep,
        "p_map": repetition.p_map,
        "malformed": float(malformed),
        "no_program": float(repetition.failed),
    }
