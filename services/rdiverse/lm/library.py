"""transformers' model classes, without what only other users of them need.

Where scikit-learn is installed, transformers imports it, and with it pandas and SciPy, for a way of generating that is not used
here: a third of a server's start and a fifth of its memory.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import transformers.utils


@contextmanager
def _without_scikit_learn() -> Iterator[None]:
    utils: Any = transformers.utils
    asked = utils.is_sklearn_available
    utils.is_sklearn_available = lambda: False
    try:
        yield
    finally:
        utils.is_sklearn_available = asked


with _without_scikit_learn():
    from transformers import AutoModel, AutoModelForCausalLM

__all__ = ["AutoModel", "AutoModelForCausalLM"]
