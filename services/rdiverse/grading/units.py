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
    "euros", "unit", "units", "point", "points", "m/s", "km/h", "mph", "rpm", "N", "J", "W", "V",
    "A", "K", "Pa", "Hz", "kHz", "MHz", "GHz", "kW", "eV", "mol", "C", "F", "people", "ways", "times", "sq",
    "square", "cubic", "per",
)  # fmt: skip
_ONE = "|".join(sorted(map(re.escape, _NAMES), key=len, reverse=True))
_POWER = r"(?:\s*(?:\^|\*\*)\s*\{?-?\d\}?)?"
_TEXT = r"\\(?:text|textrm|textbf|mbox|mathrm|operatorname)\s*\{(?P<text>[^{}]*)\}"
_JOINT = r"(?:\s|\\cdot(?![A-Za-z])|\*|/|\(|\))*"
# What a unit may follow: the end of a number or of a group.
_AFTER = r"(?<=[\d})\].%!])"

_ONE_TEXT = rf"{_TEXT.replace('?P<text>', '')}{_POWER}"
_TEXT_UNITS = re.compile(rf"(?:{_JOINT}(?:{_ONE_TEXT}|\\frac\s*\{{\s*{_ONE_TEXT}\s*\}}\s*\{{\s*{_ONE_TEXT}\s*\}})\)?)+\s*\Z")
# One letter, or letters without a space before them, may be symbols; a known word behind a space is a unit.
_WORD_UNITS = re.compile(rf"{_AFTER}\s+(?:(?:{_ONE})(?![A-Za-z_(\\]){_POWER}[\s./]*)+\Z")
_SHORT_UNITS = re.compile(r"(?<=\d)\s*(?:mm|cm|km|kg|mph|ft|lbs?|hrs?|mL|ml|kW|Hz|kHz|MHz|GHz|eV)(?:\s*\^\s*\{?\d\}?)?\Z")
_ORDINAL = re.compile(r"(?<=\d)\s*(?:\^\s*\{?\s*)?(?:\\text(?:rm)?\s*\{\s*)?(?:st|nd|rd|th)\s*\}*\Z")
_PROSE = re.compile(rf"{_AFTER}\s+(?:[A-Za-z]{{4,}}|of|per|a|an|the|in)(?:\s+[A-Za-z]+)*\s*\Z")
_LONE_LETTER = re.compile(rf"[A-Za-z]{_POWER}|\\(?:mathrm|operatorname)\{{[ei]\}}")
# Words that make something else of a number, or of the whole answer.
_NOT_UNITS = re.compile(
    r"\s*(?:and|or|if|for|where|when|mod|to|with|then|otherwise|is|are|has|have|not|no|as|such|does|[ap]\.?m\.?|dozen)(?![A-Za-z])"
    r"|[=<>\d]",
    re.IGNORECASE,
)
_POWERS = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_MAGNITUDE = re.compile(rf"(?<=[\d}}])\s*(?:\\text\s*\{{\s*)?({'|'.join(_POWERS)})(?:\s*\}}|(?![A-Za-z]))(?P<rest>[^}}]*\}})?")
_PERCENT = re.compile(r"(?<=[\d})])\s*(?:\\text\s*\{\s*(?:percent|per cent)\s*\}|(?:percent|per cent)(?![A-Za-z]))")
_CURRENCY = re.compile(r"\A\s*(?:\\\$|USD|US\\\$)\s*(?=[\d.-])|(?<=[-+])\s*\\\$\s*(?=[\d.])")


def without_units(text: str) -> str:
    """The text without a trailing unit and a leading currency sign; unchanged when nothing would remain."""
    text = _PERCENT.sub("%", _MAGNITUDE.sub(_as_power, _CURRENCY.sub("", text)))
    for pattern in (_ORDINAL, _TEXT_UNITS, _WORD_UNITS, _SHORT_UNITS, _PROSE):
        match = pattern.search(text)
        if match is None or _NOT_UNITS.match(_words(match.group())) or _is_symbol(match):
            continue
        rest = text[: match.start()].rstrip()
        if rest and re.search(r"[\dA-Za-z})\]%!]\Z", rest) and _balanced(rest):
            text = rest
    return text


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
