"""What each role is told, as configuration."""

from typing import Self

from pydantic import Field, model_validator

from rdiverse.config.base import Section
from rdiverse.selfplay import prompts
from rdiverse.selfplay.prompts import PLACEHOLDER, PromptTemplate


class PromptConfig(Section):
    """One role's prompt. `{question}` stands for the question."""

    system: str = Field("", max_length=65_536)
    user: str = Field(min_length=1, max_length=65_536)

    @property
    def template(self) -> PromptTemplate:
        """The prompt as the method uses it."""
        return PromptTemplate(self.system, self.user)

    @classmethod
    def of(cls, template: PromptTemplate) -> Self:
        """The configuration that says the same as a template."""
        return cls(system=template.system, user=template.user)


class PromptsConfig(Section):
    """The prompts of the three roles that write text."""

    challenger: PromptConfig = PromptConfig.of(prompts.CHALLENGER)
    solver: PromptConfig = PromptConfig.of(prompts.SOLVER)
    coder: PromptConfig = PromptConfig.of(prompts.CODER)

    @model_validator(mode="after")
    def _question_has_a_place(self) -> Self:
        for name, prompt in (("solver", self.solver), ("coder", self.coder)):
            if PLACEHOLDER not in prompt.system + prompt.user:
                raise ValueError(f"{name}: the prompt must hold {PLACEHOLDER}")
        return self
