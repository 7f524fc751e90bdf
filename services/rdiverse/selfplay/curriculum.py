"""Which questions the Solver is trained on."""

from collections.abc import Sequence
from fractions import Fraction
from typing import TypeVar

Row = TypeVar("Row")

BAND_TOLERANCE = 1e-6
"""A share within this of the band's ends is on them: 3/10 may arrive as 0.30000000000000004 or through a float32."""


class TooFewQuestionsError(ValueError):
    """An iteration has too little to train on; the text says how much there was and what may have gone wrong."""


def keep(share: float, band: tuple[float, float]) -> bool:
    """Whether a question of this self-consistency is trained on: low <= s <= high (R-Zero's filter, 0.3 to 0.8)."""
    low, high = band
    return low - BAND_TOLERANCE <= share <= high + BAND_TOLERANCE


def replay_count(n_new: int, rho: float) -> int:
    """Questions to replay beside `n_new` new ones, floor(n_new rho / (1 - rho)), so that they make up the share `rho`.

    R-Diverse's experience replay; rho = 0.3 is third parties' report. Computed in rationals: 7 new at rho 0.3 are 3, not
    the 2 that a rounded-down 2.9999999999999996 would give. The caller draws uniformly without replacement, fewer when
    the memory holds fewer.
    """
    if n_new < 0 or not 0 <= rho < 1:
        raise ValueError(f"n_new = {n_new}, rho = {rho}: must be n_new >= 0 and 0 <= rho < 1")
    exact = Fraction(repr(float(rho)))
    return int(n_new * exact / (1 - exact))


def training_rows(new: Sequence[Row], replayed: Sequence[Row], batch: int, min_questions: int = 1) -> list[Row]:
    """Rows of the Solver's training set: the new questions, then the replayed ones, duplicates kept.

    With fewer rows than one batch of `batch` rows they are repeated in whole passes until one is full, so that every
    question weighs the same. R-Zero crashes there.

    Raises:
        TooFewQuestionsError: there are fewer than `min_questions` rows.
    """
    rows = [*new, *replayed]
    needed = max(min_questions, 1)
    if len(rows) < needed:
        raise TooFewQuestionsError(
            f"only {len(rows)} questions to train on ({len(new)} new, {len(replayed)} replayed), "
            f"at least {needed} are needed: nearly all questions are too easy or too hard for the Solver, or malformed. "
            "Propose more (challenger.pool), widen solver.band, or lower solver.min_questions."
        )
    passes = max(1, -(-batch // len(rows)))
    return rows * passes
