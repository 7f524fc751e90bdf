r"""The normal form of an answer: equal normal forms are equal answers.

Integers, decimals, fractions, percentages, numbers with units or thousands commas, surds and all expressions that multiply
out to the same sum, tuples, intervals, sets, lists and equations are told from each other here, without a symbolic
library. Most answers of a vote are short integers: those cost a regular expression.
"""

import re
from functools import lru_cache

from rdiverse.grading.forms import Form
from rdiverse.grading.structure import MAX_CHARACTERS, read

INTEGER = re.compile(r"\s*([-+]?)0*(\d{1,18})\s*\Z", re.ASCII)
"""Sign and digits of a plain integer."""


_remembered = lru_cache(maxsize=16_384)(read)


def form(text: str) -> Form:
    """The answer in normal form, with what is needed to compare it where the normal forms differ."""
    return _remembered(text) if len(text) <= MAX_CHARACTERS else read(text)


def normal_form(text: str) -> str:
    r"""The normal form as text: "1/2" for `\frac12`, "0.50" and `\dfrac{2}{4}`; "{1, 2}" for "2, 1" and `\{1,2\}`.

    Any text has one, and it is an answer that equals the text. Different normal forms may still be equal answers, where
    they are no numbers of a known kind (`\sin^2 x + \cos^2 x` and `1`): see `rdiverse.grading.decide`.
    """
    integer = plain_integer(text)
    if integer is not None:
        return integer
    normal = form(text)
    written = normal.key.strip('"') if normal.kind == "text" else normal.written
    # Where that reads as something else (words that look like a product), the answer stays as it was given.
    return written if form(written).key == normal.key else text.strip()


def plain_integer(text: str) -> str | None:
    """The normal form of a plain integer, None for any other text."""
    match = INTEGER.match(text)
    if match is None:
        return None
    sign, digits = match.groups()
    return digits if sign != "-" or digits == "0" else f"-{digits}"
