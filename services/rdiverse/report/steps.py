"""What the trainers noted of every step: a chart a quantity, the iterations side by side with a border between them."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from markupsafe import Markup

from rdiverse.report.charts import LEFT, RIGHT, TOP, drawing, frame
from rdiverse.report.data import Row, RunData
from rdiverse.report.figures import Figure
from rdiverse.report.marks import DOWN, UP, axis_decimal, axis_percent, decimal, element, joined, percent, ticks
from rdiverse.selfplay.methods import TRAITS, Method, Similarity

WIDTH, HEIGHT, BOTTOM = 340, 190, 26


class Term(NamedTuple):
    """A line: its key in metrics.jsonl, its name, and its place among the colours and dashes."""

    key: str
    name: str
    slot: int


class Quantity(NamedTuple):
    """A chart."""

    title: str
    terms: tuple[Term, ...]
    says: str
    share: bool = False


HEALTH = (
    Quantity(
        "KL", (Term("kl", "to the reference model", 0),), "Per token, in nats, estimated. A jump is a policy that runs away."
    ),
    Quantity("Entropy", (Term("entropy", "of the policy", 0),), "Per token, in nats. Near zero, all samples are the same."),
    Quantity("Gradient norm", (Term("gradient_norm", "before clipping", 0),), "Of all gradients together, in each step."),
    Quantity(
        "Clipped ratios",
        (Term("clip_fraction", "in all", 0), Term("clip_low", "below", 1), Term("clip_high", "above", 2)),
        "Share of tokens whose ratio of new to old probability was cut off. Zero with one update a step.",
        share=True,
    ),
    Quantity(
        "Response length", (Term("completion_tokens", "mean", 0), Term("completion_tokens_max", "longest", 1)), "In tokens."
    ),
    Quantity(
        "Truncated" + DOWN, (Term("truncated", "cut at the limit", 3),), "Share of the responses that never ended.", share=True
    ),
)
"""What every trainer notes."""


def phases(data: RunData) -> list[tuple[str, list[Figure]]]:
    """The charts of each phase that was trained: its reward first."""
    found = []
    for phase, rewards in (("challenger", _challenger(Method(data.summary["method"]))), ("solver", _SOLVER)):
        rows = [row for row in data.metrics if row["phase"] == phase]
        drawn = [figure for quantity in (*rewards, *HEALTH) if (figure := _figure(quantity, rows, phase.capitalize()))]
        if drawn:
            found.append((phase.capitalize(), drawn))
    return found


def _challenger(method: Method) -> tuple[Quantity, ...]:
    traits = TRAITS[method]
    terms = [Term("uncertainty", "R_unc, uncertainty" + UP, 2)]
    if traits.similarity is not Similarity.NONE:
        terms.append(Term("p_rep", "P_rep" + DOWN, 0))
    if traits.memory_penalty:
        terms.append(Term("p_map", "P_MAP" + DOWN, 1))
    says = (
        "Mean over all completions of each step, a malformed one counting as 0; before weights. Penalties are subtracted. "
        "P_MAP begins in iteration 2: before, there is nothing to compare with."
    )
    malformed = Quantity(
        "Malformed" + DOWN, (Term("malformed", "no question, or no answer", 3),), "Share of the completions.", share=True
    )
    return Quantity("The reward's terms", tuple(terms), says), malformed


_SOLVER = (
    Quantity(
        "Reward" + UP, (Term("reward", "mean", 0),), "Agreement with the pseudo-labels, and not with the truth.", share=True
    ),
    Quantity(
        "Groups without a signal" + DOWN,
        (Term("equal_groups", "all paid the same", 3),),
        "Share of the groups from whose answers nothing is learned.",
        share=True,
    ),
)


def _figure(quantity: Quantity, rows: Sequence[Row], phase: str) -> Figure | None:
    lines = [(term, found) for term in quantity.terms if (found := _by_iteration(rows, term.key))]
    if not lines:
        return None
    show, tick = (percent, axis_percent) if quantity.share else (decimal, axis_decimal)
    chart = step_chart(lines, f"{phase}: {quantity.title}", show, tick)
    key = [
        element("li", element("svg", _sample(term), width=22, height=12, aria_hidden="true") + term.name) for term, _ in lines
    ]
    return Figure(quantity.title, element("ul", joined(key), class_="legend"), chart, quantity.says)


def _by_iteration(rows: Sequence[Row], key: str) -> dict[int, list[float]]:
    """Values in the order of the steps. P_MAP of the first iteration is left out: it was compared with nothing."""
    found: dict[int, list[float]] = {}
    for row in sorted(rows, key=lambda row: (row["iteration"], row["step"])):
        if row.get(key) is not None and not (key == "p_map" and row["iteration"] == 1):
            found.setdefault(row["iteration"], []).append(row[key])
    return found


def step_chart(
    lines: Sequence[tuple[Term, dict[int, list[float]]]],
    title: str,
    show: Callable[[float], str],
    tick: Callable[[float], str],
) -> Markup:
    """Lines over steps, one column an iteration; no line crosses a border. `lines` hold a value a step, by iteration."""
    values = [value for _, found in lines for each in found.values() for value in each]
    first, last = min(t for _, found in lines for t in found), max(t for _, found in lines for t in found)
    steps = ticks(max(0.0, *values), 4, bottom=min(0.0, *values))
    column = (WIDTH - LEFT - RIGHT) / (last - first + 1)

    def at_y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - steps[0]) / (steps[-1] - steps[0])

    parts = [frame(steps, at_y, tick, WIDTH)]
    for t in range(first, last + 1):
        x = LEFT + column * (t - first)
        if t > first:
            parts.append(element("line", x1=x, x2=x, y1=TOP, y2=HEIGHT - BOTTOM + 5, class_="border"))
        name = f"iteration {t}" if column > 80 else f"{t}"
        parts.append(element("text", name, x=x + column / 2, y=HEIGHT - 8, class_="tick", text_anchor="middle"))
    for term, found in lines:
        for t, each in found.items():
            at = [(LEFT + column * (t - first + (i + 0.5) / len(each)), at_y(value)) for i, value in enumerate(each)]
            said = f"{term.name}, iteration {t}: {show(each[0])} to {show(each[-1])} in {len(each)} steps"
            parts.append(_line(at, term.slot, said))
    return drawing(title, HEIGHT, parts, WIDTH)


def _line(at: Sequence[tuple[float, float]], slot: int, said: str) -> Markup:
    inner = element("title", said)
    css = f"s{slot} d{slot}"
    if len(at) == 1:
        return element("circle", inner, cx=at[0][0], cy=at[0][1], r=3.0, class_=f"mark {css}")
    return element("polyline", inner, points=" ".join(f"{x:.1f},{y:.1f}" for x, y in at), class_=f"line {css}")


def _sample(term: Term) -> Markup:
    return _line([(0, 6), (22, 6)], term.slot, term.name)
