"""Who knows the truth of a generated question, where anyone does."""

from collections.abc import Sequence
from typing import Protocol


class Oracle(Protocol):
    """Named in the configuration as `<module>:<attribute>`. Without one, figures that need the truth are null."""

    def truth(self, question: str) -> str | None:
        """The answer of a well-posed question; None when it has no meaning that can be computed."""

    def skill(self, question: str) -> str | None:
        """The name of the skill that a question needs; None when it is ill-posed."""

    def well_posed(self, question: str) -> bool:
        """Whether the question has a meaning that can be computed."""

    def skills(self) -> Sequence[str]:
        """Every skill that the world's generator can ask for, for coverage."""
