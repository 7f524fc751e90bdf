"""The smallest parts of a figure: scales, ticks, numbers as text, SVG elements."""

import math
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

SHAPES = ("circle", "square", "triangle", "diamond")
"""Series differ by marker as well as by colour."""
COLOURS = 8
"""Colours that the style sheet has for series."""


def shape(slot: int) -> str:
    """The marker of a series. Together with its colour, of which there are COLOURS, it tells 32 slots apart."""
    return SHAPES[(slot + slot // COLOURS) % len(SHAPES)]


def element(name: str, content: str = "", /, **attributes: Any) -> Markup:
    """An SVG element. Attributes and content are escaped unless they are Markup; `_` in a name stands for `-`."""
    written = "".join(f' {key.rstrip("_").replace("_", "-")}="{escape(_short(value))}"' for key, value in attributes.items())
    return Markup(f"<{name}{written}/>") if not content else Markup(f"<{name}{written}>{escape(content)}</{name}>")  # noqa: S704 - every part is escaped


def joined(parts: Sequence[str]) -> Markup:
    """Elements one after the other."""
    return Markup("").join(parts)


def marker(shape: str, x: float, y: float, css: str, title: str = "", small: bool = False) -> Markup:
    """A point of a series."""
    size = 0.6 if small else 1.0
    inner = element("title", title) if title else ""
    if shape == "circle":
        return element("circle", inner, cx=x, cy=y, r=3.6 * size, class_=css)
    if shape == "square":
        return element("rect", inner, x=x - 3.2 * size, y=y - 3.2 * size, width=6.4 * size, height=6.4 * size, class_=css)
    outline = [(0, -4.4), (4.2, 3.2), (-4.2, 3.2)] if shape == "triangle" else [(0, -4.8), (4.8, 0), (0, 4.8), (-4.8, 0)]
    return element(
        "polygon", inner, points=" ".join(f"{x + size * dx:.1f},{y + size * dy:.1f}" for dx, dy in outline), class_=css
    )


def ticks(top: float, most: int = 5, bottom: float = 0.0) -> list[float]:
    """Round steps (1, 2 or 5 times a power of ten) from `bottom` or below up to at least `top`."""
    if top <= bottom:
        return [bottom, bottom + 1.0]
    raw = (top - bottom) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
    first, last = math.floor(bottom / step + 1e-9), math.ceil(top / step - 1e-9)
    return [i * step for i in range(first, last + 1)]


UP, DOWN = "\u00a0\u2191", "\u00a0\u2193"
"""After the name of a figure: more of it is better, less of it is better."""


def arrow(better: int) -> str:
    """The sign of the direction of good: 1, -1, or 0 where neither is."""
    return (UP, "", DOWN)[1 - better]


def percent(value: float) -> str:
    """A share as a percentage."""
    return f"{value * 100:.1f} %"


def decimal(value: float) -> str:
    """A number with three significant places or so."""
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def axis_percent(value: float) -> str:
    """A share as a tick."""
    return f"{value * 100:.3g} %"


def axis_decimal(value: float) -> str:
    """A number as a tick."""
    return f"{value:.4g}"


def _short(value: Any) -> Any:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value
