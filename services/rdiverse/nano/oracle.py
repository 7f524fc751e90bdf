"""The truth about nano questions, as the configuration names it: `rdiverse.nano.oracle:oracle`."""

from collections.abc import Sequence

from rdiverse.nano.grammar import all_skills
from rdiverse.nano.language import read


class NanoOracle:
    """Reads questions by the tolerance of `rdiverse.nano.language`; every text gets an answer, none an exception."""

    def truth(self, question: str) -> str | None:
        """The answer, a whole number in 0..99; None when the question is ill-posed."""
        problem = read(question)
        return None if problem is None or problem.truth is None else str(problem.truth)

    def skill(self, question: str) -> str | None:
        """The chain of operations, such as `sum.times.fewer`; None when the question is ill-posed."""
        problem = read(question)
        return None if problem is None or problem.truth is None else problem.skill

    def well_posed(self, question: str) -> bool:
        """Whether the question has a truth."""
        return self.truth(question) is not None

    def skills(self) -> Sequence[str]:
        """Every skill of at most two modifiers. A question may need a longer chain; its name is then not among these."""
        return all_skills()


oracle = NanoOracle()
