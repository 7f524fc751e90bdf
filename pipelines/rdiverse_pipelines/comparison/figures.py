"""The comparison's charts. Each becomes a part of the page and a file of its own."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from rdiverse.report.charts import Point, Series, legend, line_chart
from rdiverse.report.marks import axis_decimal, axis_percent
from rdiverse.selfplay.methods import Method
from rdiverse_pipelines.comparison.compared import Comparison, MethodFigures
from rdiverse_pipelines.comparison.measures import MEASURES, written

_FORMS = {measure.key: measure for measure in MEASURES}
SEEDS = "Means over seeds; whiskers are 95 % intervals (Student's t)."
ILLUSION = (
    "P_rep in the Challenger's training as the method measures it, beside repetition among the kept questions, which is "
    "measured by programs for every method. The counterpart of the paper's Figure 1a."
)
BY_METHOD = (
    (
        "accuracy", "Held-out accuracy over iterations", ("accuracy_sampled", "accuracy_greedy", "worst_skill"),
        "Iteration 0 is the base model. Axes need not begin at zero. The counterpart of the paper's Figure 3.",
    ),
    (
        "diversity", "Diversity of what was trained on",
        ("effective_skills", "coverage", "intra_iteration_repetition", "cross_iteration_repetition", "mean_s_max"),
        "Kept questions of each iteration, by their programs; coverage by the world's own skills.",
    ),
    (
        "labels", "What the labels were worth", ("label_accuracy", "ill_posed_share"),
        "Kept questions of each iteration, beside the world's truth.",
    ),
    (
        "signal", "Do the penalties tell questions apart?", ("p_rep_spread", "p_rep_words_spread", "p_map_spread"),
        (
            "Standard deviation over the kept questions of what each penalty says of them, measured alike for every method: a "
            "penalty that is the same for all teaches nothing."
        ),
    ),
)  # fmt: skip
"""Name, title, measures and caption of the figures in which every method has a line."""


class Panel(NamedTuple):
    """One chart with its lines' names."""

    title: str
    series: list[Series]
    chart: Markup

    @property
    def legend(self) -> Markup:
        """As HTML."""
        return legend(self.series)


class ComparedFigure(NamedTuple):
    """Panels that belong together."""

    name: str
    """The file's name without its ending."""
    title: str
    panels: list[Panel]
    caption: str


def figures(found: Comparison) -> list[ComparedFigure]:
    """Every figure that has something to show, in the page's order."""
    told = [panel for method in _told(found) if (panel := _illusion(method))]
    drawn = [ComparedFigure("illusion", "What the penalty saw, and what was repeated", told, f"{ILLUSION} {SEEDS}")]
    for name, title, keys, says in BY_METHOD:
        drawn.append(ComparedFigure(name, title, _by_method(found, keys, zero=name != "accuracy"), f"{says} {SEEDS}"))
    return [figure for figure in drawn if figure.panels]


def _told(found: Comparison) -> list[MethodFigures]:
    """The reference and R-Diverse; where one is missing, whichever come first."""
    wanted = [each for method in (found.reference, Method.R_DIVERSE) if (each := found.of(method))]
    return list({each.method: each for each in (*wanted, *found.methods)}.values())[:2]


def _illusion(found: MethodFigures) -> Panel | None:
    lines = [
        ("seen_p_rep", "P_rep in training", 1),
        ("intra_iteration_repetition", "repeats within the iteration", 2),
        ("cross_iteration_repetition", "repeats of earlier iterations", 3),
    ]
    return _panel(str(found.method), [Series(name, slot, _points(found, key)) for key, name, slot in lines], percent=True)


def _by_method(found: Comparison, keys: Sequence[str], zero: bool) -> list[Panel]:
    slots = {method: slot for slot, method in enumerate(_SLOTS)}
    panels = []
    for key in keys:
        series = [Series(str(each.method), slots[each.method], _points(each, key)) for each in found.methods]
        panels.append(_panel(_FORMS[key].title, series, percent=_FORMS[key].form == "percent", key=key, zero=zero))
    return [panel for panel in panels if panel]


_SLOTS = (
    Method.R_DIVERSE,
    Method.R_ZERO,
    Method.R_ZERO_REPLAY,
    Method.NO_PENALTY,
    Method.BASE_CHALLENGER,
    Method.R_DIVERSE_WITHOUT_MAP,
    Method.R_DIVERSE_WITHOUT_SAM,
    Method.R_DIVERSE_WITHOUT_REPLAY,
    Method.BASE,
)
"""A method has the same colour and marker in every figure, whichever others stand beside it."""


def _panel(title: str, series: list[Series], percent: bool, key: str = "seen_p_rep", zero: bool = True) -> Panel | None:
    show = written(_FORMS[key])
    chart = line_chart(series, title, show=show, tick=axis_percent if percent else axis_decimal, zero=zero)
    return Panel(title, [line for line in series if line.points], chart) if chart else None


def _points(found: MethodFigures, key: str) -> list[Point]:
    return [
        Point(t, spread.mean, spread.low, spread.high)
        for t, row in enumerate(found.iterations)
        if (spread := row.get(key)) is not None
    ]
