"""Answers that are words, as BBEH has them: the same wording is the same answer, and nothing else is."""

import re

_WRAPPER = re.compile(r"\\(?:text|textbf|texttt|textrm|mathrm|mathbf)\s*\{([^{}]*)\}")
_OPTION = re.compile(r"\A\(([a-z])\)\Z")
_AROUND = ((("[", "]")), ('"', '"'), ("'", "'"), ("`", "`"))


def same_wording(gold: str, answer: str) -> bool:
    """Whether two answers read the same apart from case, typesetting, spaces, quotes or brackets around, and a final stop.

    Of option letters, (a) and a are the same; numbers are compared as numbers. This follows what BBEH's authors tolerate
    (Kazemi et al. 2025, arXiv 2502.19187), applied to the boxed answer alone.
    """
    left, right = _plain(gold), _plain(answer)
    return bool(left) and (left == right or _number(left) == _number(right) is not None)


def _plain(text: str) -> str:
    text = _WRAPPER.sub(r"\1", text.strip().strip("$")).replace("**", "")
    text = " ".join(text.casefold().split()).rstrip(".?! ")
    text = re.sub(r"\s*,\s*", ",", text)
    for opening, closing in _AROUND:
        if len(text) > 2 and text.startswith(opening) and text.endswith(closing):
            text = text[1:-1]
    option = _OPTION.match(text)
    return option.group(1) if option else text


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None
