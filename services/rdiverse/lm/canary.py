"""The start-up check, the same for every engine: a model whose numbers are not numbers must not serve."""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from rdiverse.lm.sampling_params import SamplingParams
from rdiverse.selfplay.prompts import RenderedPrompt

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PROMPT = RenderedPrompt("", "1 + 1 =")
PARAMS = SamplingParams(temperature=0, max_tokens=4)


class BrokenModelError(RuntimeError):
    """A model's outputs are not numbers."""


def check_numbers(values: Iterable[float]) -> None:
    """Raise BrokenModelError unless all are finite."""
    if not all(map(math.isfinite, values)):
        raise BrokenModelError("the model's outputs are not finite numbers")


def check_vector(vector: "NDArray[np.float32]") -> None:
    """Raise BrokenModelError for an embedding that has no direction."""
    check_numbers(vector.tolist())
    if not vector.any():
        raise BrokenModelError("the model's vectors are zero")
