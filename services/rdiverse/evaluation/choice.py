"""Multiple choice without guessing: an answer names one option, or it is wrong."""

import re
from collections.abc import Sequence

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_WRAPPER = re.compile(r"\A\\(?:text|textbf|textrm|mathrm|mathbf|mathsf)\s*\{(.*)\}\Z", re.DOTALL)
_LETTER = re.compile(r"\A\(?\s*([A-Za-z])\s*\)?\s*[.:]?\Z")
_LETTER_AND_TEXT = re.compile(r"\A(?:\(([A-Za-z])\)|([A-Za-z])\s*[).:])\s*(.+)\Z", re.DOTALL)


def with_options(question: str, options: Sequence[str]) -> str:
    """The question as it is asked: options with their letters, and what is wanted."""
    lines = [f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=False)]
    return "\n".join([question.rstrip(), "", *lines, "", "Answer with the letter of the one right option."])


def read_choice(answer: str, options: Sequence[str]) -> str | None:
    """The letter that a boxed answer names; None when it names none, or more than one, or one that there is not.

    Read are: a letter, bare or as (B), B), B. or B:, in either case; such a letter before the text of *its own* option; and
    the text of exactly one option. Where R-Zero's evaluation looks for the first of A to J anywhere in the text, and draws a
    letter at random when there is none, nothing else is read here.
    """
    text = _bare(answer)
    letter = _LETTER.match(text)
    if letter:
        return _of(letter.group(1), options)
    both = _LETTER_AND_TEXT.match(text)
    if both:
        named = _of(both.group(1) or both.group(2), options)
        if named and _words(both.group(3)) == _words(options[LETTERS.index(named)]):
            return named
    same = [LETTERS[i] for i, option in enumerate(options) if _words(option) == _words(text)]
    return same[0] if len(same) == 1 else None


def _of(letter: str, options: Sequence[str]) -> str | None:
    return letter.upper() if letter.upper() in LETTERS[: len(options)] else None


def _bare(answer: str) -> str:
    """Without dollar signs and commands that only set the type."""
    text = answer.strip()
    while True:
        inner = text.strip("$").strip()
        wrapped = _WRAPPER.match(inner)
        inner = wrapped.group(1).strip() if wrapped else inner
        if inner == text:
            return text
        text = inner


def _words(text: str) -> str:
    return " ".join(_bare(text).casefold().removesuffix(".").split())
