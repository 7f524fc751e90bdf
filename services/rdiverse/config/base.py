"""What every section of the configuration shares."""

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A part of the configuration: unknown keys are refused, values never change after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, protected_namespaces=())


class SamplingConfig(Section):
    """How tokens are drawn from a model."""

    temperature: float = Field(1.0, ge=0, le=10)
    """Softmax temperature; 0 is greedy decoding."""
    top_p: float = Field(1.0, gt=0, le=1)
    """Nucleus mass."""
    top_k: int = Field(0, ge=0, le=1_000_000)
    """Most likely tokens kept; 0 keeps all."""
    max_tokens: int = Field(4096, ge=1, le=65_536)
    """Largest number of new tokens (response length: R-Zero's scripts)."""
