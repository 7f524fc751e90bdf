"""Times of day and dates."""

import re

from rdiverse.grading.forms import Form

_TIME = re.compile(r"(\d{1,2})(?:[:.](\d\d))?(?::(\d\d))?\s*([ap])\.?\s?m\.?\Z", re.IGNORECASE)
_BARE = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?\Z")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_MONTH = rf"(?P<month>{'|'.join(f'{name[:3]}(?:{name[3:]})?' for name in _MONTHS)}|Sept)\.?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_DATES = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_MONTH}\s+{_DAY}(?:\s*,?\s*(?P<year>\d{{4}}))?\Z",
        rf"(?:the\s+)?{_DAY}\s+(?:of\s+)?{_MONTH}(?:\s*,?\s*(?P<year>\d{{4}}))?\Z",
        rf"{_MONTH}\s*,?\s*(?P<year>\d{{4}})(?P<day>)\Z",
        r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)\Z",
    )
]
_NUMERIC = re.compile(r"(\d{1,2})[/.](\d{1,2})[/.](\d{4})\Z")


def read(text: str) -> Form | None:
    """A time with AM or PM or a date, from text without fonts; None for anything else."""
    time = _TIME.match(text)
    if time and 1 <= int(time[1]) <= 12:
        half = time[4].upper()
        hour, minute, seconds = int(time[1]), time[2] or "00", f":{time[3]}" if time[3] else ""
        readings = (_clock(hour, minute, seconds), _clock(hour % 12 + 12 * (half == "P"), minute, seconds))
        return Form("time", f"{hour}:{minute}{seconds} {half}M", readings=readings)
    for pattern in _DATES:
        date = pattern.match(text)
        if date:
            return _date(date["month"], date["day"], date["year"])
    numeric = _NUMERIC.match(text)
    # Which is the month depends on the country.
    return Form("date", "/".join(str(int(part)) for part in numeric.groups())) if numeric else None


def bare(text: str) -> tuple[Form, ...]:
    """The time that a ratio such as 3:20 may be, without its half of the day."""
    time = _BARE.match(text)
    return (_clock(int(time[1]), time[2], f":{time[3]}" if time[3] else ""),) if time else ()


def _clock(hour: int, minute: str, seconds: str) -> Form:
    return Form("clock", f"{hour}:{minute}{seconds}")


def _date(month: str, day: str, year: str | None) -> Form | None:
    number = int(month) if month.isdigit() else next(i for i, name in enumerate(_MONTHS, 1) if name[:3] == month[:3].title())
    if not 1 <= number <= 12 or (day and not 1 <= int(day) <= 31):
        return None
    parts = [f"{_MONTHS[number - 1]} {int(day)}" if day else _MONTHS[number - 1], *([year] if year else [])]
    return Form("date", (", " if day else " ").join(parts))
