"""A model's opinion of answers, beside the strict score and never in place of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rdiverse.config import SamplingConfig
from rdiverse.inference.client import LanguageModelClient
from rdiverse.selfplay.parsing import last_boxed

SYSTEM = (
    "You compare two answers to the same question. Decide whether they state the same final result, however they are "
    "written. Do not solve the question, and do not care how an answer was found. End with \\boxed{same} or \\boxed{different}."
)
USER = "Question:\n{question}\n\nFirst answer:\n{first}\n\nSecond answer:\n{second}"
RZERO_SYSTEM = "You check answers to mathematical questions."
RZERO_USER = "A given answer: {answer}\n\nThe true answer: {truth}\n\nIs the given answer right? Reply Yes or No, nothing else."
PROMPTS_A_CALL = 1024
MAX_ANSWER, MAX_RESPONSE = 2000, 16_000
"""Characters that the judge is shown of an answer, and of a response's end: one that ran wild must not fail the whole call."""


class Pair(NamedTuple):
    """What the judge sees."""

    question: str
    gold: str
    answer: str


@dataclass(frozen=True)
class Opinion:
    """What the judge said with the gold answer first, and with it second; None where it said neither same nor different."""

    forward: bool | None
    backward: bool | None

    @property
    def same(self) -> bool:
        """Whether both directions call the answers the same. A judge that changes its mind with the order has not said so."""
        return self.forward is True and self.backward is True


class Judge:
    """Asks a model, greedily."""

    def __init__(self, model: LanguageModelClient, max_tokens: int = 1024) -> None:
        self._model = model
        self._sampling = SamplingConfig(temperature=0.0, max_tokens=max_tokens)

    def opinions(self, pairs: Sequence[Pair]) -> list[Opinion]:
        """Ask about every pair in both directions; equal pairs are asked once."""
        asked = list(dict.fromkeys(pairs))
        ordered = [(p.question, p.gold, p.answer) for p in asked] + [(p.question, p.answer, p.gold) for p in asked]
        replies = self._replies(
            [(SYSTEM, USER.format(question=q, first=a[:MAX_ANSWER], second=b[:MAX_ANSWER])) for q, a, b in ordered]
        )
        read = [_READ.get(last_boxed(reply) or "") for reply in replies]
        known = {pair: Opinion(read[i], read[i + len(asked)]) for i, pair in enumerate(asked)}
        return [known[pair] for pair in pairs]

    def rzero(self, golds_and_responses: Sequence[tuple[str, str]]) -> list[bool]:
        """R-Zero's second look at failures: the gold answer is shown as the given one, the whole response as the true one."""
        prompts = [
            (RZERO_SYSTEM, RZERO_USER.format(answer=gold, truth=response[-MAX_RESPONSE:]))
            for gold, response in golds_and_responses
        ]
        return ["yes" in reply.lower() for reply in self._replies(prompts)]

    def _replies(self, prompts: Sequence[tuple[str, str]]) -> list[str]:
        replies = [""] * len(prompts)
        for start in range(0, len(prompts), PROMPTS_A_CALL):
            for completion in self._model.generate(prompts[start : start + PROMPTS_A_CALL], 1, sampling=self._sampling):
                replies[start + completion.prompt_index] = completion.text
        return replies


_READ = {"same": True, "different": False, r"\text{same}": True, r"\text{different}": False}
