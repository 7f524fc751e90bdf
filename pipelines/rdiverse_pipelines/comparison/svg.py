"""A figure as a file of its own: the page's charts side by side on paper, with the style that they need."""

import re
from importlib.resources import files

from markupsafe import Markup

from rdiverse.report.charts import HEIGHT, WIDTH, Series
from rdiverse.report.marks import element, joined, marker, shape
from rdiverse_pipelines.comparison.figures import ComparedFigure, Panel

GAP = 28
HEAD = 34
LETTER = 6.4
"""Width of a letter of the legend, nearly."""
_NEEDED = (".tick", ".grid", ".axis", ".s0", ".s4", ".line", ".whisker", ".mark")


def standalone(figure: ComparedFigure, columns: int = 2) -> Markup:
    """The SVG document: two panels a row, each with title and legend. Colours are those for light paper."""
    columns = min(columns, len(figure.panels))
    rows = [figure.panels[at : at + columns] for at in range(0, len(figure.panels), columns)]
    width = GAP + columns * (WIDTH + GAP)
    parts = [element("title", figure.title), element("style", Markup(_style()))]  # noqa: S704 - our own file
    parts.append(element("rect", width="100%", height="100%", fill="var(--paper)"))
    parts.append(element("text", figure.title, x=GAP, y=26, class_="name"))
    top = float(HEAD)
    for row in rows:
        legends = [_legend(panel.series) for panel in row]
        tallest = max(height for _, height in legends)
        for i, (panel, (names, _)) in enumerate(zip(row, legends, strict=True)):
            inner = element("text", panel.title, y=18, class_="title") + element("g", names, transform="translate(0 36)")
            inner += element("g", _placed(panel, 36 + tallest))
            parts.append(element("g", inner, transform=f"translate({GAP + i * (WIDTH + GAP)} {top:g})"))
        top += 36 + tallest + HEIGHT + 16
    return element(
        "svg",
        joined(parts),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width} {top:g}",
        width=width,
        height=top,
        role="img",
    )


def _placed(panel: Panel, y: float) -> Markup:
    # As plain text: Markup would escape what it is given.
    chart = str(panel.chart).replace("<svg ", f'<svg y="{y:g}" width="{WIDTH}" height="{HEIGHT}" ', 1)
    return Markup(chart)  # noqa: S704 - our chart


def _legend(series: list[Series]) -> tuple[Markup, float]:
    """Markers and names in as many lines as they need, and the height."""
    parts, x, y = [], 0.0, 0.0
    for line in series:
        needed = 16 + LETTER * len(line.name) + 16
        if x and x + needed > WIDTH:
            x, y = 0.0, y + 18
        parts.append(marker(shape(line.slot), x + 6, y - 4, f"mark {line.css}"))
        parts.append(element("text", line.name, x=x + 16, y=y, class_="tick"))
        x += needed
    return joined(parts), y + 8


def _style() -> str:
    """The rules of the page's style sheet that charts need."""
    sheet = files("rdiverse.report").joinpath("templates/style.css").read_text(encoding="utf-8")
    found = re.match(r":root \{.*?\n\}", sheet, re.DOTALL)
    if found is None:
        raise ValueError("style.css must begin with its variables")
    rules = [line for line in sheet.splitlines() if line.startswith(_NEEDED)]
    own = ".name { fill: var(--ink); font: 600 17px var(--sans); } .title { fill: var(--ink); font: 600 14px var(--sans); }"
    light = found.group().replace("color-scheme: light dark;", "")
    return "\n".join([light, *rules, own])
