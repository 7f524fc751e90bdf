"""The Solver's reward: does the boxed answer equal the pseudo-label?"""

from collections.abc import Sequence

from rdiverse.config import SolverRewardConfig
from rdiverse.grading.pool import GradingPool
from rdiverse.selfplay.parsing import last_boxed
from rdiverse.selfplay.rewards import solver_reward


class SolverReward:
    """Each rank grades its own completions (docs/method.md, "Solver reward")."""

    def __init__(self, config: SolverRewardConfig, pool: GradingPool) -> None:
        """`pool` stays the caller's to close."""
        self._config = config
        self._pool = pool

    def __call__(self, step: int, completions: Sequence[str], answers: Sequence[str]) -> list[dict[str, float]]:
        """Score completions; terms: accuracy, boxed, malformed (0 or 1 each). Equal pairs are compared once."""
        del step
        boxes = [last_boxed(text) for text in completions]
        pairs = {(box, answer) for box, answer in zip(boxes, answers, strict=True) if box is not None}
        equal = {pair: self._pool.equal(*pair) for pair in sorted(pairs)}
        scored = []
        for box, answer in zip(boxes, answers, strict=True):
            correct = box is not None and equal[box, answer]
            reward = solver_reward(correct, box is not None, self._config.accuracy_weight)
            scored.append(
                {"reward": reward, "accuracy": float(correct), "boxed": float(box is not None), "malformed": float(box is None)}
            )
        return scored
