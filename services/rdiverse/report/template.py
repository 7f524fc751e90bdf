"""Fills a page's template: every text is escaped, an unknown name is an error, and the style stands in the page."""

from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from rdiverse.report import marks
from rdiverse.report.text import visible


def fill(package: str, name: str, filters: Mapping[str, Callable[..., Any]], **values: Any) -> str:
    """The page of `package`/templates/`name` as HTML. `filters` are the page's own, beside `visible` and `percent`."""
    environment = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"visible": visible, "percent": marks.percent, **filters}
    style = files("rdiverse.report").joinpath("templates/style.css").read_text(encoding="utf-8")
    return environment.get_template(name).render(style=Markup(style), **values)  # noqa: S704 - our own file
