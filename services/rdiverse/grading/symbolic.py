"""What the grader's own parser does not read: sums, integrals, limits, set notation.

Asked only in a process that can be killed: the library may run for ever or take all memory.
"""

from typing import Any

from math_verify import LatexExtractionConfig, parse, verify
from sympy.core.cache import clear_cache


def same_latex(a: str, b: str) -> bool:
    """Whether math-verify reads both answers as LaTeX and finds them equal in either direction."""
    clear_cache()  # what it costs must not depend on what was asked before
    # Plain text is not extracted from: that reader evaluates it as code. The library's own time-outs are off, as they work
    # by signals, which a long multiplication does not see.
    read: list[Any] = [
        parse(
            f"${text.replace('$', ' ')}$",
            extraction_config=[LatexExtractionConfig()],
            fallback_mode="no_fallback",
            extraction_mode="first_match",
            parsing_timeout=None,
        )
        for text in (a, b)
    ]
    if not all(read):
        return False
    # Fifteen digits, as the default of six takes 1.24e-8 for 0.
    return any(verify(x, y, float_rounding=15, timeout_seconds=None) for x, y in (read, read[::-1]))


def verified(gold: str, answer: str) -> bool:
    """`verify(parse(gold), parse(answer))`, as R-Zero's evaluation calls math-verify: both are read bare, plain text too."""
    return bool(verify(parse(gold, parsing_timeout=None), parse(answer, parsing_timeout=None), timeout_seconds=None))


def warm_up() -> None:
    """Load what the library only imports when it integrates."""
    same_latex(r"\int_0^1 x\,dx", r"\frac{1}{2}")
