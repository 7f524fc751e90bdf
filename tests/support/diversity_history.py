"""A run's memory as its users may rely on it: what was acknowledged, and what an unanswered call may have done."""

import hashlib
from dataclasses import dataclass, field

import numpy as np

from rdiverse.diversity.client import DiversityClient, Item

DIMENSION = 24


@dataclass(frozen=True)
class Iteration:
    """What one commit put in; everything follows from the three numbers."""

    number: int
    version: int
    items: int

    @property
    def vectors(self) -> np.ndarray:
        rng = np.random.default_rng([self.number, self.version, self.items])
        return rng.normal(size=(self.items, DIMENSION)).astype(np.float32)

    @property
    def digest(self) -> str:
        return hashlib.sha256(repr(self).encode()).hexdigest()

    def question(self, index: int) -> str:
        return f"iteration {self.number}, version {self.version}, item {index}"

    def as_items(self) -> list[Item]:
        return [
            Item(self.question(index), vector=vector, answer=str(index), share=0.5) for index, vector in enumerate(self.vectors)
        ]


State = tuple[Iteration, ...]


@dataclass
class History:
    """One run. `possible` holds every state that it may be in: one, or two after a call without an answer."""

    run: str
    possible: list[State] = field(default_factory=lambda: [()])

    @property
    def state(self) -> State:
        assert len(self.possible) == 1
        return self.possible[0]

    def trying(self, after: State) -> None:
        """A write is under way."""
        self.possible = list(dict.fromkeys([*self.possible, after]))

    def acknowledged(self, after: State) -> None:
        self.possible = [after]

    def resolve(self, client: DiversityClient) -> None:
        """Ask what happened to the unanswered call; raise when the answer is no possible one."""
        listed = {found.run for found in client.list_runs()}
        found = [(e.iteration, e.digest, e.items) for e in client.get_stats(self.run).iterations] if self.run in listed else []
        fitting = [state for state in self.possible if [(i.number, i.digest, i.items) for i in state] == found]
        assert fitting, f"{self.run} holds {found}, which is none of {self.possible}"
        self.possible = fitting[:1]

    def check(self, client: DiversityClient) -> None:
        """Everything acknowledged is there, once, nothing else is, and the sums are exact."""
        state = self.state
        total = sum(iteration.items for iteration in state)
        if not total:
            return
        replayed = client.sample_replay(self.run, 1001, total + 100, seed=1)
        found = sorted((item.iteration, item.index, item.question) for item in replayed)
        expected = [(i.number, index, i.question(index)) for i in state for index in range(i.items)]
        assert found == expected, "lost, duplicated or foreign items"
        held = np.concatenate([i.vectors for i in state]).astype(np.float64)
        held /= np.linalg.norm(held, axis=1, keepdims=True)
        scored = client.score(self.run, [item for i in state for item in i.as_items()], 1001)
        assert scored.memory_items == total
        means = held @ held.mean(axis=0)
        for score, mean in zip(scored, means, strict=True):
            assert abs(score.s_max - 1) < 1e-5, "an acknowledged vector is not found"
            assert abs(score.s_mean - mean) < 1e-6, "the stored sum is not that of the items"
