"""Words and codes: an unknown word is a word, and equals only itself."""

import re

from rdiverse.grading.vocabulary import GREEK, WORDS

_FONT = re.compile(r"\\(?:text|textrm|textbf|textit|mbox|mathrm|mathbf|mathtt|mathsf|operatorname)\s*\{([^{}]*)\}")
_LETTERS = re.compile(r"[A-Za-z][A-Za-z'’ -]*\Z")
_CODE = re.compile(r"(?:[A-Z][A-Za-z]*\d|[a-z]+\d+[a-zA-Z])\w*\Z|(?:[A-Z]-?){2,}\Z|[A-Z]+(?:\s*-\s*[A-Z]+)+\Z")
_SPACED = re.compile(r"(?<![A-Za-z\\{_])(?<!_\{)(\s?)(?<![A-Za-z\\{_])([A-Za-z]{2,})(?![A-Za-z}])")
_SMALL = frozenset([
    "no", "is", "it", "an", "of", "to", "in", "on", "at", "by", "or", "up", "do", "we", "he", "me", "my", "am", "pm", "if",
    "so", "as", "be", "us", "go", "ok",
])  # fmt: skip


def flat(text: str) -> str:
    """The text without fonts."""
    return _FONT.sub(r"\1", text)


def as_words(text: str) -> str:
    """Text without fonts, superfluous white space, a full stop, and the case of words; a code or a symbol keeps its case."""
    text = re.sub(r"\s*([^\w\s])\s*", r"\1", " ".join(flat(text).split())).strip(".")
    return re.sub(
        r"[^\W\d_]+", lambda word: word[0].casefold() if len(word[0]) > 2 or word[0].lower() in _SMALL else word[0], text
    )


def is_word(text: str) -> bool:
    """Whether a text is made of words. One or two small letters are symbols, and so are x, y, z in any number."""
    text = flat(text).strip()
    if not _LETTERS.match(text):
        return False
    runs = re.split(r"[ '’-]+", text)
    if any(run in WORDS or run in GREEK for run in runs):
        return False
    return any(
        (run.isupper() and len(run) > 1) or run.lower() in _SMALL or (len(run) > 2 and not set(run) <= set("xyz"))
        for run in runs
    )


def has_words(text: str) -> bool:
    """Whether words stand between other things: small ones such as "out of", or three letters with white space before them."""
    return any(
        run[2].lower() in _SMALL or (run[1] and len(run[2]) > 2 and run[2].islower() and not set(run[2]) <= set("xyz"))
        for run in _SPACED.finditer(text)
        if not any(word in run[2] for word in WORDS)
    )


def is_code(text: str) -> bool:
    """Whether letters and digits make a name, as in H2O or B12, and not a product."""
    text = flat(text).strip()
    return _CODE.match(text) is not None and not any(text.startswith(word) for word in WORDS)
