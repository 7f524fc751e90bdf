"""What became of every question that the Challenger wrote: its label, its measures, and which to look at first."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rdiverse.report.data import IterationData, Row, RunData
from rdiverse.report.text import visible

EACH = 6
"""Questions shown of each group."""
FATES = {
    "kept": "kept",
    "below-band": "rejected: the Solver disagrees with itself too much",
    "above-band": "rejected: the Solver finds it too easy",
    "no-program": "rejected: no program could be made",
    "malformed": "malformed",
}
"""`status` of curated.parquet, and what never came so far."""


@dataclass(frozen=True)
class Shown:
    """One question as the page shows it. Every text is ready to be escaped."""

    iteration: int
    index: int
    """Its place among what the Challenger wrote in this iteration."""
    question: str
    fate: str
    """A key of FATES."""
    label: str = ""
    """right, wrong, ill-posed or unknown; empty where it was never labelled."""
    verdict: str = ""
    """The label, and what is to be said of it."""
    program: str = ""
    failure: str = ""
    """Why SAM made no program."""
    facts: tuple[tuple[str, str], ...] = ()
    """Names and values, in order."""
    nearest: str = ""
    nearest_note: str = ""
    why: str = ""
    copies: int = 1
    """How often exactly this text was written in the whole run."""
    cluster: int | None = None
    """Within its iteration."""
    p_rep: float = 0.0
    s_max: float | None = None
    """None where the memory was empty."""
    p_map: float = 0.0


@dataclass(frozen=True)
class Group:
    """Questions that share a fate."""

    title: str
    count: int
    """How many there are in all."""
    rule: str
    """Which of them are shown."""
    shown: list[Shown]


@dataclass(frozen=True)
class Fates:
    """How many of an iteration's questions met which end, and how many were written before, word for word."""

    iteration: int
    proposed: int
    by_fate: dict[str, int]
    repeated: int
    """Copies of a question of the same iteration, the first of each not counted."""
    old: int
    """Questions whose very text an earlier iteration holds."""


def every(data: RunData) -> list[Shown]:
    """All questions of a run, in the order written."""
    copies = Counter(row["question"] for item in data.iterations for row in item.questions if row["question"] is not None)
    return [shown for item in data.iterations for shown in _Explainer(item, copies, data.config["penalty"]).all()]


def fates(data: RunData, shown: list[Shown]) -> list[Fates]:
    """The ends that each iteration's questions met."""
    found: list[Fates] = []
    past: set[str] = set()
    for item in data.iterations:
        texts = [row["question"] for row in item.questions if row["question"] is not None]
        if item.questions:
            counts = Counter(each.fate for each in shown if each.iteration == item.t)
            old = sum(text in past for text in texts)
            found.append(Fates(item.t, len(item.questions), dict(counts), len(texts) - len(set(texts)), old))
        past.update(texts)
    return found


def groups_of(shown: list[Shown]) -> list[Group]:
    """The groups of one iteration's questions, empty ones left out."""
    by_fate = {fate: [each for each in shown if each.fate == fate] for fate in FATES}
    kept = by_fate.pop("kept")
    compared = [each for each in kept if each.s_max is not None]
    groups = [
        _group("Kept, most like the memory", compared, "largest P_MAP first", lambda q: (-q.p_map, -q.p_rep)),
        _group("Kept, newest to the memory", compared, "smallest S_max first", lambda q: (q.s_max or 0.0, q.p_rep)),
        _group(
            "Kept, most repeated within the iteration",
            kept,
            "one of each cluster, largest first",
            lambda q: (-q.p_rep, 0),
            True,
        ),
        *(_group(FATES[fate].capitalize(), each, "in the order written", None) for fate, each in by_fate.items()),
    ]
    return [group for group in groups if group.count]


def _group(
    title: str, rows: list[Shown], rule: str, key: Callable[[Shown], tuple[float, float]] | None, one_of_cluster: bool = False
) -> Group:
    chosen = sorted(rows, key=key) if key else rows
    if one_of_cluster:
        first: dict[int | None, Shown] = {}
        for each in chosen:
            first.setdefault(each.cluster, each)
        chosen = list(first.values())
    return Group(title, len(rows), rule, chosen[:EACH])


class _Explainer:
    """Puts an iteration's questions into words."""

    def __init__(self, item: IterationData, copies: Counter[str], penalty: Row) -> None:
        self._item = item
        self._copies = copies
        self._penalty = penalty
        self._labels = {row["index"]: row for row in item.labels}
        self._curated = {row["index"]: row for row in item.curated}
        self._batch = sum(row["status"] in ("kept", "no-program") for row in item.curated)

    def all(self) -> Iterator[Shown]:
        """Everything that was written, in order."""
        for row in self._item.questions:
            if row["question"] is None:
                yield self._malformed(row)
            else:
                yield self._labelled(self._curated[row["index"]], self._labels[row["index"]])

    def _malformed(self, row: Row) -> Shown:
        facts = (("ended by", row["finish_reason"]), ("tokens", f"{row['completion_tokens']:,}"))
        why = "no question between tags, or no boxed answer"
        return Shown(self._item.t, row["index"], visible(row["text"], 600), "malformed", facts=facts, why=why)

    def _labelled(self, row: Row, label: Row) -> Shown:
        kind, verdict = _verdict(label)
        nearest = row["nearest_question"]
        measured = row["p_rep"] is not None
        return Shown(
            iteration=self._item.t,
            index=row["index"],
            question=visible(row["question"]),
            fate=row["status"],
            label=kind,
            verdict=verdict,
            program=visible(row["program"]),
            failure=visible(row["failure"], 200),
            facts=tuple(_facts(row, label)),
            nearest=visible(nearest, 400),
            nearest_note=f"iteration {row['nearest_iteration']}, cosine {row['s_max']:.3f}" if nearest is not None else "",
            why=self._why(row) if measured else "",
            copies=self._copies[row["question"]],
            cluster=row["cluster"],
            p_rep=row["p_rep"] or 0.0,
            s_max=row["s_max"] if nearest is not None else None,
            p_map=row["p_map"] or 0.0,
        )

    def _why(self, row: Row) -> str:
        gamma, tau_max, tau_mean = (self._penalty[key] for key in ("gamma", "tau_max", "tau_mean"))
        size = round(row["p_rep"] * self._batch)
        parts = [f"in a cluster of {size} of {self._batch}" if size > 1 else "alone in its cluster"]
        if row["nearest_question"] is None:
            parts.append("compared with nothing: the memory was empty")
        else:
            parts.append(_over("S_max", row["s_max"], tau_max, gamma))
            parts.append(_over("S_mean", row["s_mean"], tau_mean, 1 - gamma))
        return "; ".join(parts)


def _verdict(label: Row) -> tuple[str, str]:
    """What kind of label it is, and how the card says so; the sign tells it without colour."""
    given = f"label {visible(label['answer'], 120)}" if label["answer"] else "no label: nothing was boxed"
    if label["well_posed"] is False:
        return "ill-posed", f"⚠ {given}, of a question without a meaning"
    if label["truth_agrees"] is None:
        return "unknown", given
    if label["truth_agrees"]:
        return "right", f"✓ {given} is right"
    return "wrong", f"✗ {given} is wrong, the truth is {visible(label['truth'], 120)}"


def _facts(row: Row, label: Row) -> Iterator[tuple[str, str]]:
    yield "s", f"{row['share']:.2f}"
    yield "votes", f"{label['votes']}, {label['boxed']} boxed"
    if label["skill"]:
        yield "skill", visible(label["skill"], 120)
    names = _MEASURES if row["nearest_question"] is not None else _MEASURES[:1]
    for name, key in names:
        if row[key] is not None:
            yield name, f"{row[key]:.3f}"


_MEASURES = (("P_rep", "p_rep"), ("S_max", "s_max"), ("S_mean", "s_mean"), ("P_MAP", "p_map"))


def _over(name: str, value: float, threshold: float, weight: float) -> str:
    if value <= threshold:
        return f"{name} {value:.3f} within {threshold:g} costs nothing"
    return f"{name} {value:.3f} over {threshold:g} costs {weight * (value - threshold):.3f}"
