r"""R-Zero's rules of equality, for comparing with its runs; nothing else should use them.

R-Zero grades with a copy of the PRM800K grader. Its rules, as published: answers are compared as strings after units,
percent and currency signs, thousands commas and case are taken away; two tuples need the same brackets and as many
members; two unreduced fractions are different; a whole number equals only a whole number; the rest goes to sympy unless
there are more than two letters or a long power in it. When voting, any two answers that hold the word "no" are equal.

Known misjudgements, kept: 2/4 differs from 1/2; 6/2 differs from 3; 50% equals 50 and not 0.5; sets and lists are text;
`x^{10}` is never simplified. Not kept: text is never evaluated as code, so what sympy's reader would have taken and the
grader's own parser does not is unequal.
"""

import re

from rdiverse.grading.decide import Question
from rdiverse.grading.errors import UnreadableError
from rdiverse.grading.lexer import tokens
from rdiverse.grading.parser import Node, parse

_UNIT = re.compile(
    r"(?:degree|cm|centimeter|meter|mile|second|minute|hour|day|week|month|year|foot|feet|inch|yard)(?:es)?s? *(?:\^[0-9]+)?"
)
_COMMA = re.compile(r"(?<=\d),(?=\d{3}(?:\D|$))")
_FRACTION = re.compile(r"-?\d+/0*[1-9]\d*")
_LONG_POWER = re.compile(r"\^[{(]|\^\d+\^|\^\d\d")
_LATEX_FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_LATEX_ROOT = re.compile(r"\\sqrt\s*\{([^{}]*)\}")
_MOST_LETTERS = 2
_LONGEST = 2000


def compare(a: str, b: str) -> list[Question] | None:
    """None when the answers differ; else what sympy has to confirm, an empty list for nothing. Symmetric."""
    if "no " in a.lower() and "no " in b.lower():
        return []
    left, right = normalized(a), normalized(b)
    if left == right:
        return []
    if not left or not right or max(len(left), len(right)) > _LONGEST:
        return None
    mine, theirs = _members(left), _members(right)
    brackets_differ = (left[0], left[-1]) != (right[0], right[-1])
    if len(mine) != len(theirs) or (len(mine) > 1 and brackets_differ):
        return None
    questions = []
    for x, y in zip(mine, theirs, strict=True):
        question = _members_equal(x, y)
        if question is None:
            return None
        questions += question
    return questions


def _members_equal(x: str, y: str) -> list[Question] | None:
    if x == y:
        return []
    if (_FRACTION.fullmatch(x) and _FRACTION.fullmatch(y)) or _is_whole(x) or _is_whole(y):
        return None
    letters = {c for c in (x + y).replace("sqrt", "").replace("frac", "") if c.isalpha()}
    if len(letters) > _MOST_LETTERS or _LONG_POWER.search(x + y):
        return None
    left, right = _read(x), _read(y)
    return [Question(*sorted((left, right), key=repr))] if left is not None and right is not None else None


def normalized(text: str) -> str:
    """The answer as the string that R-Zero compares."""
    enclosed = re.match(r"\\text\{(.+?)\}$", text.strip())
    text = enclosed[1] if enclosed else text
    for mark in (r"\%", r"\$", "%", "$"):
        text = text.replace(mark, "")
    text = text.replace(" or ", " , ").replace(" and ", " , ")
    for word, power in (("million", 6), ("billion", 9), ("trillion", 12)):
        text = text.replace(word, f"*10^{power}")
    text = re.sub(r"\^ *\\circ", "", _UNIT.sub("", text))
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1]
    text = _plain(re.sub(r",\\! *", "", text))
    text = re.sub(r"- *", "-", text)
    text = re.sub(r"(?<=\d) +(?=\d)", "+", text)
    text = re.sub(r"[\s{}]", "", text).lower()
    return _whole(text) or text


def _plain(text: str) -> str:
    r"""Fractions and roots as R-Zero's LaTeX reader writes them; `\left`, `\right` and spacing go."""
    for _ in range(10):
        before = text
        text = _LATEX_ROOT.sub(r"sqrt(\1)", _LATEX_FRACTION.sub(r" \1/\2", text))
        if text == before:
            break
    text = re.sub(r"\\(?:left|right|,|;|!|:|quad)(?![A-Za-z])", "", text)
    return (
        text.replace(r"\pi", "pi").replace("π", "pi").replace(r"\cdot", "*").replace(r"\times", "*").replace(r"\infty", "inf")
    )


def _whole(text: str) -> str | None:
    """The text of a number that is whole up to 1e-7, without commas and decimals."""
    try:
        value = float(_COMMA.sub("", text))
        return str(int(value)) if abs(value - round(value)) <= 1e-7 else None
    except (ValueError, OverflowError):
        return None


def _is_whole(text: str) -> bool:
    return _whole(text) is not None


def _members(text: str) -> list[str]:
    text = _COMMA.sub("", text)
    enclosed = len(text) > 2 and text[0] in "([" and text[-1] in ")]" and not re.search(r"[()\[\]]", text[1:-1])
    return text[1:-1].split(",") if enclosed else [text]


def _read(text: str) -> Node | None:
    try:
        return parse(tokens(text))
    except UnreadableError:
        return None
