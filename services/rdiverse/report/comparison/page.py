"""Puts a comparison onto one page: self-contained, no network, no scripts."""

from collections.abc import Sequence

from markupsafe import Markup

from rdiverse.report import marks
from rdiverse.report.comparison.figures import ComparedFigure
from rdiverse.report.comparison.measures import MEASURES, Measure, difference_written, width_written, written
from rdiverse.report.comparison.statistics import INTERVAL, Difference, Spread
from rdiverse.report.comparison.tables import Comparison
from rdiverse.report.template import fill

_SHARE = next(measure for measure in MEASURES if measure.key == "accuracy_sampled")


def render(found: Comparison, drawn: Sequence[ComparedFigure]) -> str:
    """The page as HTML. Every text is escaped."""
    return fill(
        "comparison.html.jinja",
        {"spread": _spread, "difference": _difference},
        found=found,
        interval=INTERVAL,
        figures=drawn,
        used=[measure for measure in MEASURES if any(measure.key in each.iterations[-1] for each in found.methods)],
        compared=[each for each in found.methods if each.differences],
        share=_SHARE,
    )


def _spread(found: Spread | None, measure: Measure) -> Markup:
    """A mean with half the width of its interval, its exact value in the markup; a dash where there is none."""
    if found is None:
        return marks.element("span", "–", class_="null", title="not measured")
    shown = marks.element("data", written(measure)(found.mean), value=repr(found.mean))
    return shown if found.half_width is None else shown + marks.element("small", _width(measure, found))


def _difference(found: Difference | None, measure: Measure) -> Markup:
    """A mean difference; marked where its interval leaves out zero."""
    if found is None:
        return marks.element("span", "–", class_="null", title="no seed has both")
    shown = marks.element("data", difference_written(measure, found.mean), value=repr(found.mean))
    shown += marks.element("small", f"{_width(measure, found)} ({found.higher}/{len(found.values)})")
    return marks.element("strong", shown) if found.apart else shown


def _width(measure: Measure, found: Spread) -> str:
    return "" if found.half_width is None else f" ± {width_written(measure, found.half_width, found.mean)}"
