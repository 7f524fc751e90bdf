r"""Units: where the number ends and its unit begins, and what the unit is worth.

Units of one dimension compare by pint's tables, which are loaded when two spellings first need them; any other word behind
a number counts things of its own name.
"""

import re
from fractions import Fraction
from functools import cache
from typing import Any, NamedTuple

_SHORT = "mm|cm|dm|km|kg|mg|mph|ft|lbs?|hrs?|mL|ml|kW|kWh|Hz|kHz|MHz|GHz|eV|kPa|MPa|kJ|mol|min|sec"
# How pint spells a unit that it knows.
_KNOWN = {name: name for name in (
    "mm", "cm", "dm", "m", "km", "nm", "um", "in", "ft", "yd", "mi", "inch", "foot", "yard", "mile", "meter", "centimeter",
    "millimeter", "kilometer", "g", "kg", "mg", "lb", "oz", "gram", "kilogram", "milligram", "pound", "ounce", "ton", "tonne",
    "s", "ms", "min", "h", "second", "minute", "hour", "day", "week", "month", "year", "L", "mL", "liter", "milliliter",
    "gallon", "quart", "acre", "hectare", "N", "J", "W", "V", "A", "K", "Pa", "Hz", "kHz", "MHz", "GHz", "kW", "kWh", "eV",
    "mol", "kPa", "MPa", "kJ", "mph", "kph", "newton", "joule", "watt", "volt",
)} | {
    "l": "L", "ml": "mL", "metre": "meter", "centimetre": "centimeter", "millimetre": "millimeter", "kilometre": "kilometer",
    "litre": "liter", "inches": "inch", "feet": "foot", "sec": "second", "hr": "hour",
    "inche": "inch", "millilitre": "milliliter",
}  # fmt: skip
# Units that pint does not have, or takes for others.
_NAMED = {
    "dollar": "dollar", "USD": "dollar", "buck": "dollar", "degree": "degree", "deg": "degree", "euro": "euro", "cent": "cent",
    "rad": "radian", "radian": "radian", "rpm": "rpm", "C": "C", "F": "F", "unit": "unit", "point": "point", "people": "people",
    "degree C": "C", "degree F": "F", "way": "way", "time": "time", "yuan": "yuan", "person": "person",
}  # fmt: skip
_POWER_WORDS = {"square": 2, "sq": 2, "cubic": 3, "cu": 3}
_ALL = "|".join(sorted((rf"{re.escape(name)}s?" for name in (*_KNOWN, *_NAMED, *_POWER_WORDS, "per")), key=len, reverse=True))
_POWER = r"(?:\s*(?:\^|\*\*)\s*(?:\{-?\d\}|-?\d))?"
_TEXT = r"\\(?:text|textrm|textbf|mbox|mathrm|operatorname)\s*\{(?P<text>[^{}]*)\}"
_JOINT = r"(?:\s|\\cdot(?![A-Za-z])|\*|/|\(|\))*"
# What a unit may follow: the end of a number or of a group.
_AFTER = r"(?<=[\d})\].%!])"

_ONE_TEXT = rf"{_TEXT.replace('?P<text>', '')}{_POWER}"
_TEXT_UNITS = re.compile(rf"(?:{_JOINT}(?:{_ONE_TEXT}|\\frac\s*\{{\s*{_ONE_TEXT}\s*\}}\s*\{{\s*{_ONE_TEXT}\s*\}})\)?)+\s*\Z")
# One letter, or letters without a space before them, may be symbols; a known word behind a space is a unit.
_WORD_UNITS = re.compile(rf"{_AFTER}\s+(?:(?:{_ALL})(?![A-Za-z_(\\]){_POWER}[\s./]*)+\Z")
_SHORT_UNITS = re.compile(rf"(?<=\d)\s*(?:{_SHORT})(?:\s*\^\s*\{{?\d\}}?)?\Z")
# Behind a plain number, one letter is a unit where a space, a decimal point or a degree sign says so.
_LETTER = re.compile(rf"(?:(?<=\d)\s+|(?<=\.\d\d)|(?<=\.\d))[mgshLlNJWVAKCFt]{_POWER}\s*\Z")
_DEGREES = re.compile(r"\s*\\degree\s*[CF]?\s*\Z")
_ORDINAL = re.compile(r"(?<=\d)\s*(?:\^\s*\{?\s*)?(?:\\text(?:rm)?\s*\{\s*)?(?:st|nd|rd|th)\s*\}*\Z")
_PROSE = re.compile(rf"{_AFTER}\s+(?:[A-Za-z]{{4,}}|of|per|a|an|the|in)(?:\s+[A-Za-z]+)*\s*\Z")
_FUNCTION = re.compile(r"(?<![A-Za-z])(?:sin|cos|tan|cot|sec|csc|arc)")
_PLAIN = re.compile(r"\s*[-+]?(?:\d+\.?\d*|\.\d+)\s*\Z")
_LONE_LETTER = re.compile(rf"[A-Za-z]{_POWER}|\\(?:mathrm|operatorname)\{{[ei]\}}")
# Words that make something else of a number, or of the whole answer.
_NOT_UNITS = re.compile(
    r"\s*(?:and|or|if|for|where|when|mod|to|with|then|otherwise|is|are|has|have|not|no|as|such|does|[ap]\.?m\.?|dozen|out|more|less)"
    r"(?![A-Za-z])|[=<>\d]",
    re.IGNORECASE,
)
_POWERS = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_MAGNITUDE = re.compile(rf"(?<=[\d}}])\s*(?:\\text\s*\{{\s*)?({'|'.join(_POWERS)})(?:\s*\}}|(?![A-Za-z]))(?P<rest>[^}}]*\}})?")
_PERCENT_WORD = r"(?:percent(?:age)?(?:\s+points?)?|per cent|pct\.?)"
_PERCENT = re.compile(rf"(?<=[\d)}}])\s*(?:\\text\s*\{{\s*{_PERCENT_WORD}\s*\}}|{_PERCENT_WORD}(?![A-Za-z]))")
_CURRENCY = re.compile(r"\A\s*([-+]?)\s*(?:\\(dollar|euro|pounds|yuan)(?![a-z])|(USD))\s*(?=[-+\d.\\])")
_PART = re.compile(
    rf"\s*(?:and\s+)?(\d+(?:\.\d+)?)\s*(?:\\text\s*\{{\s*([a-zA-Z]+)\s*\}}|((?:{_ALL})(?![A-Za-z_(\\^])))\.?\s*(?:,\s*)?"
)


class Unit(NamedTuple):
    """A unit as it is compared and as it is written."""

    name: str
    """One spelling for all of one unit."""
    factors: tuple[tuple[str, int], ...]
    """Known units and their powers; empty for words."""


def with_magnitudes(text: str) -> str:
    """The text with words for powers of ten and for percentages as signs."""
    return _PERCENT.sub("%", _MAGNITUDE.sub(_as_power, text))


def split(text: str) -> tuple[str, Unit | None]:
    """The text before a trailing unit, or behind a currency sign, and the unit. None where there is none, or nothing else."""
    tail = sign = ""
    if money := _CURRENCY.match(text):
        text, sign = money[1] + text[money.end() :], {"pounds": "GBP", None: "dollar"}.get(money[2], money[2])
    for pattern in (_ORDINAL, _TEXT_UNITS, _DEGREES, _WORD_UNITS, _SHORT_UNITS, _LETTER, _PROSE):
        match = pattern.search(text)
        if match is None or _NOT_UNITS.match(_words(match.group())) or (pattern is not _LETTER and _is_symbol(match)):
            continue
        rest = text[: match.start()].rstrip()
        if (pattern is _LETTER and not _PLAIN.match(rest)) or (pattern is _DEGREES and _FUNCTION.search(rest)):
            continue
        if rest and re.search(r"[\dA-Za-z})\]%!]\Z", rest) and _balanced(rest):
            text = rest
            if pattern is not _ORDINAL:
                tail = f"{match.group()} {tail}"
    if sign not in named(tail).name.split():
        tail = f"{sign} {tail}"
    return text, named(tail) if tail.strip() else None


def parts(text: str) -> list[tuple[str, Unit]]:
    """Numbers and units of a quantity such as 5 ft 6 in, the larger first; empty for any other text."""
    found, at = [], 0
    while at < len(text):
        part = _PART.match(text, at)
        if part is None:
            return []
        found.append((part[1], named(part[2] or part[3])))
        at = part.end()
    values = [worth(unit) for _, unit in found]
    if len(found) < 2 or any(value is None or value[1] != values[0][1] for value in values if values[0]):
        return []
    factors = [value[0] for value in values if value]
    falling = len(factors) == len(found) and all(
        Fraction(found[i + 1][0]) * factors[i + 1] < factors[i] for i in range(len(found) - 1)
    )
    return found if falling else []


@cache
def worth(unit: Unit) -> tuple[Fraction, str] | None:
    """The unit in base units of its dimension, and their names; None for what counts things."""
    if not unit.factors:
        return None
    factor, base = Fraction(1), dict[str, int]()
    for name, power in unit.factors:
        one, units = _registry().get_root_units(name)
        factor *= Fraction(one) ** power
        for dimension, times in units._units.items():  # noqa: SLF001  its public text cannot be made of fractions
            base[dimension] = base.get(dimension, 0) + int(times) * power
    return factor, "*".join(f"{name}^{power}" for name, power in sorted(base.items()) if power)


@cache
def _registry() -> Any:
    import pint

    return pint.UnitRegistry(non_int_type=Fraction)


@cache
def named(tail: str) -> Unit:
    """The unit that a text names."""
    text = re.sub(r"\\frac\s*\{((?:[^{}]|\{[^{}]*\})*)\}\s*\{((?:[^{}]|\{[^{}]*\})*)\}", r"\1 / \2 ", tail)
    text = re.sub(r"\\(?:text|textrm|textbf|mbox|mathrm|operatorname)\s*\{([^{}]*)\}", r"\1", text).replace(r"\cdot", " ")
    text = re.sub(r"[{}()~\\*]|(?<=[A-Za-z])\.", " ", re.sub(r"\*\*", "^", text))
    words = re.findall(r"/|\^\s*-?\d|[^\s/^]+", text)
    factors = _factors(words)
    if factors is None:
        name = " ".join(_singular(word) for word in words)
        return Unit(_NAMED.get(name, name), ())
    return Unit(" ".join(name if power == 1 else f"{name}^{power}" for name, power in factors), tuple(factors))


def _factors(words: list[str]) -> list[tuple[str, int]] | None:
    """Known units with their powers, sorted; None where a word is no known unit."""
    powers: dict[str, int] = {}
    sign, power, last = 1, 1, ""
    for word in words:
        if word in {"/", "per"}:
            sign = -1
        elif word in _POWER_WORDS:
            power = _POWER_WORDS[word]
        elif word.startswith("^") and last:
            powers[last] += (int(word[1:]) - 1) * (1 if powers[last] > 0 else -1)
        else:
            last = _KNOWN.get(word) or _KNOWN.get(_singular(word), "")
            if not last:
                return None
            powers[last] = powers.get(last, 0) + sign * power
            power = 1
    return sorted(powers.items()) or None


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 2 and word.endswith("s") and not word.endswith("ss") else word


def _as_power(match: re.Match[str]) -> str:
    """A word such as million as a factor; what stands with it inside the braces is a unit."""
    unit = match["rest"]
    return rf" \cdot 10^{{{_POWERS[match[1]]}}}" + (rf"\text{{{unit}" if unit else "")


def _balanced(text: str) -> bool:
    """Whether as many brackets close as open: half-open intervals mix their kinds."""
    opening, closing = (sum(map(text.count, marks)) for marks in ("([{", ")]}"))
    return opening == closing


def _words(unit: str) -> str:
    found = re.search(_TEXT, unit)
    return found["text"] if found else unit


def _is_symbol(match: re.Match[str]) -> bool:
    r"""A lone letter behind a space is a symbol, as in `\frac{37}{4} m`; so are e and i in upright type."""
    return _LONE_LETTER.fullmatch(match.group().strip()) is not None
