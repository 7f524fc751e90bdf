r"""LaTeX and plain mathematical text as tokens.

Everything that only concerns looks (`\left`, `\displaystyle`, spacing, fonts, dollar signs) is gone afterwards.
"""

import re
import unicodedata
from typing import NamedTuple

from rdiverse.grading.errors import UnreadableError
from rdiverse.grading.vocabulary import CHARACTERS, CHINESE, FONTS, LETTER_FONTS, SYNONYMS, WORDS

_TRANSLATION = str.maketrans(CHARACTERS)

# What is only layout, in the order in which it is taken away.
_LAYOUT = [
    (re.compile(r"(?:US)?\\\$"), r" \\dollar "),
    (re.compile(r"\\(?:tiny|small|normalsize|[lL]arge|LARGE|[hH]uge|bfseries|itshape)(?![A-Za-z])"), " "),
    (re.compile(r"\A\s*\$*\s*\\(?:text)?color\s*\{[^{}]*\}(?=\s*\{)"), r"\\boxed"),
    (re.compile(r"\\color\s*\{[^{}]*\}|\\textcolor\s*\{[^{}]*\}"), " "),
    (re.compile(r"\\(?:textnormal|textsf|texttt|textup|emph|mathnormal)(?![A-Za-z])"), r"\\text"),
    (re.compile(r"\\(?:displaystyle|textstyle|scriptstyle|limits|nolimits|hfill|boldsymbol|bm|rm|bf|it)(?![A-Za-z])"), " "),
    (re.compile(r"(?<![A-Za-z])(?:np|numpy|math)\.(?=[a-z])"), ""),
    (re.compile(r"\\(?:left|right|middle)\s*\."), " "),
    (re.compile(r"\\(?:left|right|middle|[bB]igg?[lrm]?)(?![A-Za-z])"), ""),
    (re.compile(r"\\(?:lvert|rvert|vert|mid)(?![A-Za-z])"), "|"),
    (re.compile(r"\\lbrace(?![A-Za-z])"), r"\\{"),
    (re.compile(r"\\rbrace(?![A-Za-z])"), r"\\}"),
    (re.compile(r"\\(?:lbrack)(?![A-Za-z])"), "["),
    (re.compile(r"\\(?:rbrack)(?![A-Za-z])"), "]"),
    (re.compile(r"\\langle(?![A-Za-z])"), "("),
    (re.compile(r"\\rangle(?![A-Za-z])"), ")"),
    (re.compile(r"\\(?:[dtcs]|nice)frac(?![A-Za-z])"), r"\\frac"),
    (re.compile(r"\{([^{}]*)\\over(?![A-Za-z])([^{}]*)\}"), r"\\frac{\1}{\2}"),
    (re.compile(r"\\[dt]binom(?![A-Za-z])"), r"\\binom"),
    (re.compile(r"\^\s*\{?\s*\\circ(?![A-Za-z])\s*\}?"), r"\\degree "),
    (re.compile(r"(?<!\\)(?:\\[()\[\]]|\$\$?)"), " "),
    (re.compile(r"\\colon(?![A-Za-z])"), ":"),
    (re.compile(r"\\varnothing(?![A-Za-z])"), r"\\emptyset"),
    (
        re.compile(r"\\(?:q?quad|enspace|(?:thin|med|thick)?space|hspace\s*\{[^{}]*\}|nobreak)(?![A-Za-z])|(?<!\\)\\[,;:! ]|~"),
        " ",
    ),
]
_SHORT_FRACTION = re.compile(r"\\frac\s*(\d)\s*(?:(\d)|(?=\{))|\\frac\s*(\{(?:[^{}])*\})\s*(\d)")

_DOTTED = re.compile(r"\\dot\s*\{?(\d)\}?(\d*)\\dot\s*\{?(\d)\}?")
_REPEATING = re.compile(r"(\d*)\.(\d*)(?:\\(?:overline|bar|dot)\s*(?:\{(\d+)\}|(\d))|\((\d+)\))")
# A period is seen where it stands three times, or twice when it has several digits.
_ELLIPSIS = re.compile(r"(\d*)\.(\d*?)(?:(\d)\3{2,}|(\d{2,}?)\4+)\s*(?:\\l?dots|\\cdots|\.\.\.)")
# Escaped twice, as by a program that escapes what is escaped already. Two backslashes that break lines stay.
_TWICE = re.compile(r"\\\\(?=[A-Za-z{}%$])")
_SCRIPTS = re.compile("(?:[\u2070-\u209c\u00b2\u00b3\u00b9]+)")

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+(?![A-Za-z\d]))?)
    | (?P<command>\\[A-Za-z]+|\\.)
    | (?P<name>[A-Za-zΑ-Ωα-ω]+)
    | (?P<operator>\*\*|<=|>=|!=|[-+*/^_!(){}\[\]|,;:=<>'%&.?])
    )""",
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    """A piece of an answer."""

    kind: str
    """number, name (one letter), command (a word with or without backslash), text, or operator."""
    value: str
    spaced: bool = False
    """Whether white space stood before it."""


def cleaned(text: str) -> str:
    """The text without layout, with the usual characters of mathematics spelt in LaTeX."""
    if r"\\begin" in text or r"\begin" not in text:
        text = _TWICE.sub(r"\\", text)
    if not text.isascii():
        text = _in_ascii(text)
    for pattern, replacement in _LAYOUT:
        text = pattern.sub(replacement, text)
    text = _DOTTED.sub(r"\\overline{\1\2\3}", text)
    for pattern in (_ELLIPSIS, _REPEATING):
        text = pattern.sub(_repeating_decimal, text)
    return _SHORT_FRACTION.sub(_braced_fraction, text).strip()


def _in_ascii(text: str) -> str:
    """Characters of mathematics as commands; fractions, scripts and full-width forms as what they stand for."""
    text = _SCRIPTS.sub(_script, text)
    for name, unit in CHINESE.items():
        text = text.replace(name, f" {unit}")
    text = "".join(_fraction(character) for character in text).translate(_TRANSLATION)
    return unicodedata.normalize("NFKC", text).translate(_TRANSLATION)


def _script(match: re.Match[str]) -> str:
    """Raised or lowered characters as an exponent or an index."""
    run, written = match.group(), ""
    for mark, kind in (("^", "<super>"), ("_", "<sub>")):
        plain = "".join(unicodedata.normalize("NFKC", c) for c in run if unicodedata.decomposition(c).startswith(kind))
        if plain:
            written += mark + (plain if len(plain) == 1 else f"{{{plain}}}")
    return written.replace("\u2212", "-")


def _fraction(character: str) -> str:
    if not unicodedata.decomposition(character).startswith("<fraction>"):
        return character
    top, _, bottom = unicodedata.normalize("NFKC", character).partition("\u2044")
    return rf"\frac{{{top}}}{{{bottom or 1}}}"


def tokens(text: str) -> list[Token]:
    """Split cleaned text. Raises UnreadableError at a character that mathematics does not use."""
    found: list[Token] = []
    position = 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise UnreadableError(f"unknown character {text[position]!r}")
        kind = match.lastgroup or ""
        value = match[kind]
        spaced = match.start(kind) > position
        position = match.end()
        if kind == "command" and value in FONTS:
            content, position = _braced(text, position)
            found += _of_font(value, content, spaced)
        elif kind == "name":
            found += _of_letters(value, spaced)
        else:
            value = SYNONYMS.get(value, value)
            found.append(
                Token(
                    "operator" if len(value.lstrip("\\")) == 1 and not value.isdigit() and kind != "number" else kind,
                    value,
                    spaced,
                )
            )
    return found


def _of_font(font: str, content: str, spaced: bool) -> list[Token]:
    """A font around letters that stand for something is nothing; a font around words makes them text."""
    word = content.strip()
    if font in LETTER_FONTS and (len(word) == 1 or word in WORDS):
        return tokens(word) if word else []
    if not word:
        return []
    return [Token("text", " ".join(word.split()), spaced)]


def _of_letters(letters: str, spaced: bool) -> list[Token]:
    """Function names are words, capitals one symbol; other letters are symbols that multiply."""
    found: list[Token] = []
    while letters:
        word = next((letters[:n] for n in range(min(8, len(letters)), 1, -1) if letters[:n] in WORDS), None)
        if not word and len(letters) > 1 and letters.isascii() and letters.isupper():
            word = letters  # a segment, a product of matrices, a gas: whatever it is, its letters have an order
            found.append(Token("name", word, spaced))
        elif word:
            found.append(Token("command", SYNONYMS.get(word, "\\" + word), spaced))
        else:
            word = letters[0]
            found.append(Token("name", word, spaced))
        letters = letters[len(word) :]
        spaced = False
    return found


def _braced(text: str, position: int) -> tuple[str, int]:
    """Content of the brace group at a position, or the next character."""
    while position < len(text) and text[position].isspace():
        position += 1
    if position >= len(text):
        raise UnreadableError("a font without its argument")
    if text[position] != "{":
        return text[position], position + 1
    depth = 0
    for end in range(position, len(text)):
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        if not depth:
            return text[position + 1 : end], end + 1
    raise UnreadableError("an open brace")


def _repeating_decimal(match: re.Match[str]) -> str:
    whole, start, *periods = match.groups()
    period = next(filter(None, periods))
    nines = (10 ** len(period) - 1) * 10 ** len(start)
    return rf"\frac{{{int(whole + start + period) - int('0' + whole + start)}}}{{{nines}}}"


def _braced_fraction(match: re.Match[str]) -> str:
    top, bottom, group, digit = match.groups()
    if group is not None:
        return rf"\frac{group}{{{digit}}}"
    return rf"\frac{{{top}}}" + (f"{{{bottom}}}" if bottom else "")
