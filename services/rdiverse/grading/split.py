"""Brackets in text: where they end, and what stands outside of them."""

import re

from rdiverse.grading.errors import UnreadableError

_DEPTH = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}


def split(text: str, separators: tuple[str, ...]) -> list[str]:
    """Split at separators that stand outside of all brackets. Intervals may close with another kind of bracket."""
    parts, depth, start, position = [], 0, 0, 0
    while position < len(text):
        step = 1
        if text[position] == "\\":
            word = re.match(r"\\(?:[A-Za-z]+|.)", text[position:], re.DOTALL)
            command = word.group() if word else "\\"
            step = len(command)
            depth += {r"\{": 1, r"\}": -1, r"\lfloor": 1, r"\rfloor": -1, r"\lceil": 1, r"\rceil": -1}.get(command, 0)
            hit = command in separators
        else:
            depth += _DEPTH.get(text[position], 0)
            hit = text[position] in separators
        if hit and depth == 0:
            parts.append(text[start:position])
            start = position + step
        position += step
    if depth:
        raise UnreadableError("brackets that do not match")
    return [*parts, text[start:]]


def spans(text: str) -> bool:
    """Whether the first bracket closes at the very end."""
    depth = 0
    for match in re.finditer(r"\\[{}]|\\.|[()\[\]{}]", text):
        mark = match.group().lstrip("\\")
        depth += _DEPTH.get(mark, 0)
        if depth == 0 and mark:
            return match.end() == len(text)
    return False


def nesting(text: str) -> int:
    """Most brackets that are open at once."""
    depth = deepest = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    return deepest
