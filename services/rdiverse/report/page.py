"""Puts a run onto one page."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup

from rdiverse.report import costs, figures, marks, steps
from rdiverse.report.data import Row, RunData, read_run
from rdiverse.report.every import packed, script
from rdiverse.report.figures import Figure
from rdiverse.report.questions import EACH, FATES, every, fates, groups_of
from rdiverse.report.template import fill
from rdiverse.runs.files import written_aside
from rdiverse.runs.folder import RunFolder


class Column(NamedTuple):
    """A figure of the summary in the table of all iterations."""

    key: str
    heading: str
    form: str
    """How it is written, the same in every row."""
    better: int
    """1: more is better; -1: less is; 0: neither."""
    tile: str = ""
    """Its name at the head of the page, where it stands there."""


COLUMNS = (
    Column("accuracy_sampled", "sampled", "percent", 1, "Sampled accuracy"),
    Column("accuracy_greedy", "greedy", "percent", 1, "Greedy accuracy"),
    Column("worst_skill", "worst tenth", "percent", 1, "Worst tenth of skills"),
    Column("label_accuracy", "labels right", "percent", 1, "Right pseudo-labels"),
    Column("ill_posed_share", "ill\u2011posed", "percent", -1),
    Column("proposed", "proposed", "count", 0),
    Column("kept", "kept", "count", 0),
    Column("mean_self_consistency", "mean s", "thousandths", 0),
    Column("effective_skills", "effective skills", "tenths", 1, "Effective skills"),
    Column("intra_iteration_repetition", "repeats within", "percent", -1),
    Column("cross_iteration_repetition", "repeats of the past", "percent", -1, "Repeats of the past"),
    Column("mean_cosine", "mean cosine", "thousandths", -1),
)

_FORMS: dict[str, Callable[[Any], str]] = {
    "percent": marks.percent,
    "tenths": lambda value: f"{value:,.1f}",
    "hundredths": lambda value: f"{value:.2f}",
    "thousandths": lambda value: f"{value:.3f}",
    "count": lambda value: f"{value:,}",
    "mebibytes": lambda value: f"{value / 2**20:,.0f} MiB",
}


def write_report(run: RunFolder, out: Path, unfinished: Row | None = None, reload_seconds: int = 0) -> None:
    """Write the page of a run from its folder, whole or not at all.

    `unfinished`: the summary as far as it goes, in place of summary.json, of a page that loads itself anew after
    `reload_seconds`. Raises OSError or pyarrow.ArrowInvalid, naming the file, when a table of the run is missing or not whole.
    """
    page = render(read_run(run, unfinished), reload_seconds)
    with written_aside(out) as aside:
        aside.write_text(page, encoding="utf-8")


def render(data: RunData, reload_seconds: int = 0) -> str:
    """The page as HTML. Every text is escaped; the page asks for nothing and runs one script, which shows all questions."""
    shown = every(data)
    code, digest = script()
    return fill(
        "rdiverse.report",
        "report.html.jinja",
        {"number": _number, "arrow": marks.arrow},
        summary=data.summary,
        reload_seconds=reload_seconds,
        config=data.config,
        config_text=data.config_text,
        benchmarks=_benchmarks(data),
        tiles=_tiles(data),
        columns=COLUMNS,
        sections=_sections(data),
        phases=steps.phases(data),
        skill_map=figures.skill_map(data),
        worst_skills=figures.worst_skills(data),
        steps=costs.step_names(data),
        timing=costs.timing(data),
        trainers=costs.trainers(data),
        usages=costs.usages(data),
        iterations=[
            (item.t, groups_of([each for each in shown if each.iteration == item.t])) for item in data.iterations if item.t
        ],
        fates=fates(data, shown),
        fate_names=FATES,
        packed=packed(shown),
        script=Markup(code),  # noqa: S704 - our own file
        script_digest=digest,
        each=EACH,
    )


def _number(value: Any, form: str) -> Markup:
    """A figure as people read it, its exact value in the markup; a dash for null."""
    if value is None:
        return marks.element("span", "–", class_="null", title="not measured")
    return marks.element("data", _FORMS[form](value), value=repr(value))


def _benchmarks(data: RunData) -> list[dict[str, Any]]:
    found = next((item.evaluation for item in data.iterations if item.evaluation), None)
    return list(found["benchmarks"]) if found else []


class _Tile(NamedTuple):
    """A figure at the head of the page: what it is, what it was, and what is to be thought of that."""

    name: str
    form: str
    better: int
    first: tuple[int, float]
    """Iteration and value."""
    last: tuple[int, float]

    @property
    def change(self) -> str:
        """The difference, with its sign: shares in points."""
        difference = self.last[1] - self.first[1]
        written = f"{difference * 100:+.1f} points" if self.form == "percent" else f"{difference:+.1f}"
        return written.replace("-", "\u2212")

    @property
    def verdict(self) -> str:
        """Better, worse or unchanged, as far as the page shows the figure."""
        if not set(self.change) & set("123456789"):
            return "unchanged"
        return "better" if (self.last[1] > self.first[1]) == (self.better > 0) else "worse"


def _tiles(data: RunData) -> list[_Tile]:
    """The page's headline: figures before and after."""
    tiles = []
    for column in COLUMNS:
        known = [(row["iteration"], row[column.key]) for row in data.summary["iterations"] if row.get(column.key) is not None]
        if column.tile and known:
            tiles.append(_Tile(column.tile, column.form, column.better, known[0], known[-1]))
    return tiles


def _sections(data: RunData) -> list[tuple[str, str, str, list[Figure], list[Figure]]]:
    """Anchor, heading, introduction, figures and small figures of each section of charts."""
    sections = [
        ("accuracy", "Accuracy", figures.ACCURACY, figures.accuracy(data), []),
        ("illusion", "What the penalty saw, and what was there", figures.illusion_text(data), figures.illusion(data), []),
        ("labels", "Labels", figures.LABELS, figures.labels(data), figures.consistency(data)),
    ]
    return [section for section in sections if section[3]]
