"""Line charts over iterations and stacked bars, as inline SVG that takes its colours from the page's style."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from rdiverse.report.marks import COLOURS, axis_percent, element, joined, marker, percent, shape, ticks

# Units are CSS pixels where two charts stand side by side; on a phone labels shrink by a fifth.
WIDTH, HEIGHT = 440, 250
LEFT, RIGHT, TOP, BOTTOM = 50, 12, 10, 40


@dataclass(frozen=True)
class Point:
    """A value at an iteration, with an interval where there is one."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Series:
    """A line. Its colour and marker follow from `slot`, 0 to 31; the first eight have colours of their own."""

    name: str
    slot: int
    points: Sequence[Point]

    @property
    def css(self) -> str:
        """The class that gives the colour."""
        return f"s{self.slot % COLOURS}"


def line_chart(
    series: Sequence[Series],
    title: str,
    x_label: str = "iteration",
    show: Callable[[float], str] = percent,
    tick: Callable[[float], str] = axis_percent,
    x_every: float = 1.0,
    zero: bool = True,
) -> Markup | None:
    """Draw lines, with whiskers for intervals; None when there is no point at all.

    `title` is what a screen reader says; the horizontal axis names multiples of `x_every`. The vertical axis begins at zero, or
    just below the lowest whisker unless `zero`.
    """
    points = [point for line in series for point in line.points]
    if not points:
        return None
    highest = max(point.high if point.high is not None else point.y for point in points)
    lowest = min(max(point.low, 0.0) if point.low is not None else point.y for point in points)
    steps = ticks(highest, bottom=0.0 if zero else lowest)
    xs = sorted({point.x for point in points})
    first, last = xs[0], xs[-1]

    def at_x(value: float) -> float:
        return LEFT + 14 + (WIDTH - LEFT - RIGHT - 28) * ((value - first) / (last - first) if last > first else 0.5)

    def at_y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - steps[0]) / (steps[-1] - steps[0])

    parts = [
        frame(steps, at_y, tick),
        _x_axis([x for x in xs if math.isclose(x / x_every, round(x / x_every))], at_x, x_label),
    ]
    # Lines whose points coincide would hide each other's whiskers.
    apart = 4.0 if any(point.low is not None for point in points) else 0.0
    drawn = [line for line in series if line.points]
    for i, line in enumerate(drawn):
        shift = apart * (i - (len(drawn) - 1) / 2)
        parts.append(element("g", _line(line, at_x, at_y, show), transform=f"translate({shift:g} 0)"))
    return drawing(title, HEIGHT, parts)


def legend(series: Sequence[Series]) -> Markup:
    """Names of the lines, each with its marker."""
    items = [
        element(
            "li",
            element("svg", marker(shape(s.slot), 6, 6, f"mark {s.css}"), width=12, height=12, aria_hidden="true") + s.name,
        )
        for s in series
        if s.points
    ]
    return element("ul", joined(items), class_="legend") if items else Markup("")


def stacked_bars(rows: Sequence[tuple[str, Sequence[tuple[str, float]]]], title: str, unit: str = "s") -> Markup | None:
    """A horizontal bar a row, divided into named parts; a part's colour follows from its position in the row."""
    longest = max((sum(value for _, value in parts) for _, parts in rows), default=0.0)
    if longest <= 0:
        return None
    height = TOP + 30 * len(rows) + 26
    steps = ticks(longest, 4)
    scale = (WIDTH - LEFT - RIGHT) / steps[-1]
    drawn = []
    for step in steps:
        x = LEFT + step * scale
        drawn.append(element("line", x1=x, x2=x, y1=TOP, y2=height - 24, class_="grid"))
        drawn.append(
            element("text", f"{step:g} {unit}", x=min(x, WIDTH - 16), y=height - 8, class_="tick", text_anchor="middle")
        )
    for i, (name, parts) in enumerate(rows):
        y = TOP + 30 * i + 5
        x = float(LEFT)
        drawn.append(element("text", name, x=LEFT - 8, y=y + 14, class_="tick", text_anchor="end"))
        for j, (part, value) in enumerate(parts):
            label = element("title", f"{part}: {value:.1f} {unit}")
            drawn.append(element("rect", label, x=x, y=y, width=value * scale, height=20, class_=f"bar b{j}"))
            x += value * scale
    return drawing(title, height, drawn)


def histogram(counts: Sequence[int], inside: Sequence[bool], labels: Sequence[str], title: str) -> Markup | None:
    """A vertical bar a bin, those `inside` the band in the main colour; None when every count is zero."""
    if not any(counts):
        return None
    height = 130
    steps = ticks(max(counts), 3)
    bottom = height - 30

    def at_y(value: float) -> float:
        return bottom - (bottom - TOP) * value / steps[-1]

    width = (WIDTH - LEFT - RIGHT) / len(counts)
    parts = [frame(steps, at_y, lambda value: f"{value:g}")]
    for i, (count, kept, label) in enumerate(zip(counts, inside, labels, strict=True)):
        x = LEFT + i * width
        name = element("title", f"s = {label}: {count}")
        parts.append(
            element(
                "rect",
                name,
                x=x + 2,
                width=width - 4,
                y=at_y(count),
                height=bottom - at_y(count),
                class_="bar b0" if kept else "bar out",
            )
        )
        parts.append(element("text", label, x=x + width / 2, y=height - 14, class_="tick", text_anchor="middle"))
    return drawing(title, height, parts)


def frame(steps: Sequence[float], at_y: Callable[[float], float], tick: Callable[[float], str], width: int = WIDTH) -> Markup:
    """The horizontal lines of a chart, each with its value."""
    parts = []
    for step in steps:
        y = at_y(step)
        parts.append(element("line", x1=LEFT, x2=width - RIGHT, y1=y, y2=y, class_="axis" if step == steps[0] else "grid"))
        parts.append(element("text", tick(step), x=LEFT - 6, y=y + 4, class_="tick", text_anchor="end"))
    return joined(parts)


def drawing(title: str, height: float, parts: Sequence[str], width: int = WIDTH) -> Markup:
    """A chart of its parts; `title` is what a screen reader says."""
    content = element("title", title) + joined(parts)
    return element("svg", content, viewBox=f"0 0 {width} {height:g}", role="img", class_="chart")


def _x_axis(xs: Sequence[float], at_x: Callable[[float], float], label: str) -> Markup:
    every = max(1, -(-len(xs) // 11))
    y = HEIGHT - BOTTOM + 17
    parts = [element("text", f"{x:g}", x=at_x(x), y=y, class_="tick", text_anchor="middle") for x in xs[::every]]
    parts.append(element("text", label, x=(LEFT + WIDTH - RIGHT) / 2, y=HEIGHT - 5, class_="tick", text_anchor="middle"))
    return joined(parts)


def _line(line: Series, at_x: Callable[[float], float], at_y: Callable[[float], float], show: Callable[[float], str]) -> Markup:
    parts = []
    path = " ".join(f"{at_x(p.x):.1f},{at_y(p.y):.1f}" for p in line.points)
    if len(line.points) > 1:
        parts.append(element("polyline", points=path, class_=f"line {line.css}"))
    for p in line.points:
        text = f"{line.name}, {p.x:g}: {show(p.y)}"
        if p.low is not None and p.high is not None:
            text += f" ({show(p.low)} to {show(p.high)})"
            foot = min(at_y(p.low), HEIGHT - BOTTOM)  # an interval of Student's t may reach below what a share can be
            parts.append(element("line", x1=at_x(p.x), x2=at_x(p.x), y1=foot, y2=at_y(p.high), class_=f"whisker {line.css}"))
        parts.append(marker(shape(line.slot), at_x(p.x), at_y(p.y), f"mark {line.css}", text, small=len(line.points) > 20))
    return joined(parts)
