"""Which questions the page shows, and why each was penalised, kept or turned away."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rdiverse.report.data import IterationData, Row
from rdiverse.report.text import visible

EACH = 6
"""Questions shown of each group."""


@dataclass(frozen=True)
class Shown:
    """One question as the page shows it. Every text is ready to be escaped."""

    index: int
    question: str
    program: str
    facts: list[tuple[str, str]]
    """Names and values, in order."""
    nearest: str
    nearest_note: str
    why: str


@dataclass(frozen=True)
class Group:
    """Questions that share a fate."""

    title: str
    count: int
    """How many there are in all."""
    rule: str
    """Which of them are shown."""
    shown: list[Shown]


def groups_of(data: IterationData, penalty: Row) -> list[Group]:
    """The groups of one iteration, empty ones left out. `penalty` is that section of the configuration."""
    labels = {row["index"]: row for row in data.labels}
    batch = sum(row["status"] in ("kept", "no-program") for row in data.curated)
    explain = _Explainer(labels, batch, penalty)
    kept = sorted(data.kept, key=lambda row: (-(row["p_map"] or 0), -(row["p_rep"] or 0), row["index"]))
    fresh = sorted(data.kept, key=lambda row: ((row["s_max"] or 0), (row["p_rep"] or 0), row["index"]))
    crowded = sorted(data.kept, key=lambda row: (-(row["p_rep"] or 0), row["index"]))
    lost = [row for row in data.questions if row["question"] is None]
    remembered = any(row["nearest_question"] is not None for row in data.kept)
    groups = [
        _group("Kept, most like the memory", kept, "largest P_MAP first", explain.kept) if remembered else None,
        _group("Kept, newest to the memory", fresh, "smallest S_max first", explain.kept) if remembered else None,
        _group(
            "Kept, most repeated within the iteration", crowded, "one of each cluster, largest first", explain.kept, "cluster"
        ),
        *(
            _group(title, [row for row in data.curated if row["status"] == status], "in the order written", explain.rejected)
            for status, title in _REJECTED
        ),
        _group("Malformed", lost, "in the order written", _malformed),
    ]
    return [group for group in groups if group is not None and group.count]


_REJECTED = (
    ("below-band", "Rejected: the Solver disagrees with itself too much"),
    ("above-band", "Rejected: the Solver finds it too easy"),
    ("no-program", "Rejected: no program could be made"),
)


def _group(title: str, rows: list[Row], rule: str, show: Callable[[Row], Shown], one_of: str = "") -> Group:
    chosen = rows[:EACH]
    if one_of:
        first: dict[Any, Row] = {}
        for row in rows:
            first.setdefault(row[one_of], row)
        chosen = list(first.values())[:EACH]
    return Group(title, len(rows), rule, [show(row) for row in chosen])


class _Explainer:
    """Puts the measures of a question into words."""

    def __init__(self, labels: dict[int, Row], batch: int, penalty: Row) -> None:
        self._labels = labels
        self._batch = batch
        self._penalty = penalty

    def kept(self, row: Row) -> Shown:
        """A question in the band, with what the memory knows."""
        nearest = row["nearest_question"]
        note = f"iteration {row['nearest_iteration']}, cosine {row['s_max']:.3f}" if nearest is not None else ""
        return Shown(
            row["index"],
            visible(row["question"]),
            visible(row["program"]),
            self._facts(row),
            visible(nearest, 400),
            note,
            self._why(row),
        )

    def rejected(self, row: Row) -> Shown:
        """A question outside the band, or without a program."""
        why = f"SAM: {visible(row['failure'], 200)}" if row["failure"] else ""
        return Shown(row["index"], visible(row["question"]), visible(row["program"]), self._facts(row), "", "", why)

    def _facts(self, row: Row) -> list[tuple[str, str]]:
        label = self._labels.get(row["index"], {})
        facts = [("pseudo-label", visible(row["answer"], 120) or "none"), ("s", f"{row['share']:.2f}")]
        if label.get("votes") is not None:
            facts.append(("votes", f"{label['votes']}, {label['boxed']} boxed"))
        if label.get("well_posed") is not None:
            facts.append(("truth", visible(label["truth"], 120) or ("unknown" if label["well_posed"] else "ill-posed")))
        if label.get("skill"):
            facts.append(("skill", visible(label["skill"], 120)))
        facts += [(name, f"{row[key]:.3f}") for name, key in _MEASURES if row[key] is not None]
        return facts

    def _why(self, row: Row) -> str:
        gamma, tau_max, tau_mean = (self._penalty[key] for key in ("gamma", "tau_max", "tau_mean"))
        parts = []
        if row["p_rep"] is not None:
            size = round(row["p_rep"] * self._batch)
            parts.append(f"in a cluster of {size} of {self._batch}" if size > 1 else "alone in its cluster")
        if row["nearest_question"] is None:
            parts.append("the memory was empty")
        else:
            parts.append(_over("S_max", row["s_max"], tau_max, gamma))
            parts.append(_over("S_mean", row["s_mean"], tau_mean, 1 - gamma))
        return "; ".join(parts)


_MEASURES = (("P_rep", "p_rep"), ("S_max", "s_max"), ("S_mean", "s_mean"), ("P_MAP", "p_map"))


def _over(name: str, value: float, threshold: float, weight: float) -> str:
    if value <= threshold:
        return f"{name} {value:.3f} within {threshold:g} costs nothing"
    return f"{name} {value:.3f} over {threshold:g} costs {weight * (value - threshold):.3f}"


def _malformed(row: Row) -> Shown:
    facts: list[tuple[str, Any]] = [("ended by", row["finish_reason"]), ("tokens", f"{row['completion_tokens']:,}")]
    return Shown(row["index"], visible(row["text"], 600), "", facts, "", "", "no question between tags, or no boxed answer")
