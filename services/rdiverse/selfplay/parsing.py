r"""What a completion says: the last question and the last balanced box.

Every function takes any string whatever and runs in linear time; what cannot be read is None, never an error.
"""

import re
from typing import NamedTuple

MAX_CHARACTERS = 65_536
"""Longest question or answer that counts, the bound that the services put on both."""

# A doubled backslash before "boxed" is a completion that escaped its own text.
_BRACE = re.compile(r"\\{1,2}boxed\s*\{|\\.|[{}]", re.DOTALL)
# Control characters and lone surrogates: no database, protocol or person takes them for text.
_NOT_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


class Proposal(NamedTuple):
    """A well-formed completion of the Challenger."""

    question: str
    answer: str
    """What the Challenger believes the answer to be. Never used as a label."""


def parse_proposal(text: str) -> Proposal | None:
    r"""Read a Challenger's completion; None when it is malformed.

    Well-formed (docs/method.md, "Challenger reward"; R-Zero's format rule) is `<question>...</question>` and a non-empty
    `\boxed{}`, the last of each counting. A question that is blank, longer than MAX_CHARACTERS, or holds control
    characters is none.
    """
    question = _last_between(text, "<question>", "</question>")
    answer = last_boxed(text)
    if question is None or answer is None or not _is_text(question.strip()):
        return None
    return Proposal(question.strip(), answer)


def last_boxed(text: str) -> str | None:
    r"""Content of the last balanced `\boxed{...}`, stripped; None without one, or when that one holds no text.

    Last is the box that opens last, so of nested boxes it is the inner one. `\{` and `\}` are characters of a set, not
    braces. R-Zero instead extracts with a greedy expression and reports the last *character* of what it finds.
    """
    open_boxes: list[int | None] = []  # one entry a brace that is open: where a box's content begins, None for other braces
    last: tuple[int, int] | None = None
    for token in _BRACE.finditer(text):
        mark = token.group()
        if mark == "}":
            begin = open_boxes.pop() if open_boxes else None
            if begin is not None and (last is None or begin > last[0]):
                last = begin, token.start()
        elif mark == "{":
            open_boxes.append(None)
        elif "boxed" in mark:
            open_boxes.append(token.end())
    if last is None:
        return None
    content = text[slice(*last)].strip()
    return content if _is_text(content) else None


def _last_between(text: str, opening: str, closing: str) -> str | None:
    """Text between the last `opening` that is closed and the first `closing` after it."""
    end = text.rfind(closing)
    start = text.rfind(opening, 0, max(end, 0))
    if start < 0:
        return None
    start += len(opening)
    return text[start : text.find(closing, start)]


def _is_text(text: str) -> bool:
    return 0 < len(text) <= MAX_CHARACTERS and _NOT_TEXT.search(text) is None
