r"""Units, currencies and the words around a number: an answer is the same with and without them.

They are dropped, not converted, so "5 cm" equals "5" and (as equality is transitive) "5 m".
"""

import re

_NAMES = (
    "mm", "cm", "dm", "m", "km", "nm", "um", "in", "ft", "yd", "mi", "inch", "inches", "foot", "feet", "yard",
    "yards", "mile", "miles", "meter", "meters", "metre", "metres", "centimeter", "centimeters", "kilometer",
    "kilometers", "g", "kg", "mg", "lb", "lbs", "oz", "gram", "grams", "kilogram", "kilograms", "pound",
    "pounds", "ounce", "ounces", "ton", "tons", "s", "sec", "secs", "second", "seconds", "min", "mins",
    "minute", "minutes", "h", "hr", "hrs", "hour", "hours", "day", "days", "week", "weeks", "month", "months",
    "year", "years", "ms", "l", "L", "ml", "mL", "liter", "liters", "litre", "litres", "gallon", "gallons",
    "degree", "degrees", "deg", "rad", "radian", "radians", "dollar", "dollars", "cent", "cents", "euro",
    "euros", "unit", "units", "percent", "point", "points", "m/s", "km/h", "mph", "rpm", "N", "J", "W", "V",
    "A", "K", "Pa", "Hz", "kHz", "MHz", "GHz", "kW", "eV", "mol", "C", "F", "people", "ways", "times", "sq",
    "square", "cubic", "per",
)  # fmt: skip
_ONE = "|".join(sorted(map(re.escape, _NAMES), key=len, reverse=True))
_POWER = r"(?:\s*(?:\^|\*\*)\s*\{?-?\d\}?)?"
_TEXT = r"\\(?:text|textrm|textbf|mbox|mathrm|operatorname)\s*\{(?P<text>[^{}]*)\}"
_JOINT = r"(?:\s|\\cdot(?![A-Za-z])|\*|/|\(|\))*"
# What a unit may follow: the end of a number or of a group.
_AFTER = r"(?<=[\d})\].%!])"

_TEXT_UNITS = re.compile(rf"(?:{_JOINT}{_TEXT.replace('?P<text>', '')}{_POWER}\)?)+\s*\Z")
# One letter, or letters without a space before them, may be symbols; a known word behind a space is a unit.
_WORD_UNITS = re.compile(rf"{_AFTER}\s+(?:(?:{_ONE})(?![A-Za-z_^(\\]){_POWER}[\s./]*)+\Z")
_SHORT_UNITS = re.compile(r"(?<=\d)\s*(?:mm|cm|km|kg|mph|ft|lbs?|hrs?|mL|ml|kW|Hz|kHz|MHz|GHz|eV)(?:\s*\^\s*\{?\d\}?)?\Z")
_PROSE = re.compile(rf"{_AFTER}\s+(?:[A-Za-z]{{4,}}|of|per|a|an|the|in)(?:\s+[A-Za-z]+)*\s*\Z")
_SINGLE_LETTERS = frozenset("mgshlLNJWVAKCF")
_NOT_UNITS = re.compile(r"\s*(?:and|or|if|for|where|when|mod|to|with|then|otherwise)\b|[=<>\d]", re.IGNORECASE)
_CURRENCY = re.compile(r"\A\s*(?:\\\$|USD|US\\\$)\s*(?=[\d.-])|(?<=[-+])\s*\\\$\s*(?=[\d.])")


def without_units(text: str) -> str:
    """The text without a trailing unit and a leading currency sign; unchanged when nothing would remain."""
    text = _CURRENCY.sub("", text)
    for pattern in (_TEXT_UNITS, _WORD_UNITS, _SHORT_UNITS, _PROSE):
        match = pattern.search(text)
        if match is None or _NOT_UNITS.match(_words(match.group())) or _is_symbol(text, match):
            continue
        rest = text[: match.start()].rstrip()
        if rest and re.search(r"[\dA-Za-z})\]%!]\Z", rest) and rest.count("{") == rest.count("}"):
            text = rest
    return text


def _words(unit: str) -> str:
    found = re.search(_TEXT, unit)
    return found["text"] if found else unit


def _is_symbol(text: str, match: re.Match[str]) -> bool:
    r"""A lone letter behind a space is a unit only behind a plain number: `\frac{37}{4} m` may be a product."""
    unit = match.group().strip()
    return unit in _SINGLE_LETTERS or (
        unit in {r"\mathrm{e}", r"\mathrm{i}", r"\operatorname{e}", r"\operatorname{i}"} and bool(text)
    )
