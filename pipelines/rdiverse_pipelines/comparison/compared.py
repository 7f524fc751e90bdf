"""The comparison itself: spreads over seeds and paired differences of every measure, as numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, Literal

from rdiverse.selfplay.methods import Method
from rdiverse_pipelines.comparison.measures import MEASURES, figures_of
from rdiverse_pipelines.comparison.setting import Setting
from rdiverse_pipelines.comparison.statistics import Difference, Spread, paired, spread
from rdiverse_pipelines.comparison.summaries import Summary, by_method

FEWEST_SKILLS = 5
"""A group of fewer skills says more about their questions than about the group."""


class NothingToCompareError(ValueError):
    """No run has finished."""


@dataclass(frozen=True)
class MethodFigures:
    """One method over its seeds."""

    method: Method
    seeds: list[int]
    iterations: list[dict[str, Spread]]
    """Row t: measure -> its spread; measures that no seed has at t are absent."""
    differences: list[dict[str, Difference]]
    """The same minus the reference, seed by seed; empty for the reference itself."""
    labels: list[tuple[int, int]]
    """Entry k: labels with a truth at self-consistency k/10, over all seeds and iterations: how many are right, of how many."""


@dataclass(frozen=True)
class SkillGroup:
    """Skills of the held-out questions that have something in common, and the mean sampled accuracy over them."""

    name: str
    skills: int
    base: Spread | None
    """Before training; the seeds of all methods."""
    last: dict[Method, Spread]
    differences: dict[Method, Difference]


@dataclass(frozen=True)
class Comparison:
    """Everything that the tables and figures show."""

    setting: Setting
    reference: Method
    methods: list[MethodFigures]
    groups: list[SkillGroup]
    runs: list[dict[str, Any]]
    """Method, seed, duration, commit, machine and date of each run."""
    missing: list[str] = field(default_factory=list)
    """Runs that were asked for and did not finish, with the reason."""

    @property
    def last(self) -> int:
        """The last iteration."""
        return max(len(found.iterations) for found in self.methods) - 1

    @property
    def minutes(self) -> float:
        """Wall time of all runs together, whether they went side by side or not."""
        return sum(float(run["wall_seconds"]) for run in self.runs) / 60

    def made_by(self, what: Literal["commit", "machine"]) -> list[str]:
        """The commits or machines of the runs, each once."""
        return sorted({str(run.get(what)) for run in self.runs})

    def of(self, method: Method) -> MethodFigures | None:
        """A method's figures; None when no run of it is there."""
        return next((found for found in self.methods if found.method is method), None)


def compare(summaries: Sequence[Summary], setting: Setting, reference: Method, missing: Sequence[str] = ()) -> Comparison:
    """Compare finished runs of one setting. Raises NothingToCompareError without any."""
    if not summaries:
        raise NothingToCompareError("\n".join(["no run has finished, there is nothing to compare", *missing]))
    table = by_method(summaries)
    base = table.get(reference, {})
    return Comparison(
        setting=setting,
        reference=reference,
        methods=[_method_figures(method, runs, base if method is not reference else {}) for method, runs in table.items()],
        groups=_skill_groups(table, reference),
        runs=[{"method": str(run.method), "seed": run.seed, "wall_seconds": run.wall_seconds, **run.made} for run in summaries],
        missing=list(missing),
    )


def _method_figures(method: Method, runs: Mapping[int, Summary], base: Mapping[int, Summary]) -> MethodFigures:
    mine, theirs = _figures(runs), _figures(base)
    count = max(map(len, mine.values()))
    iterations, differences = [], []
    for t in range(count):
        spreads = {measure.key: spread(_at(mine, t, measure.key)) for measure in MEASURES}
        pairs = {measure.key: paired(_at(mine, t, measure.key), _at(theirs, t, measure.key)) for measure in MEASURES}
        iterations.append({key: found for key, found in spreads.items() if found})
        differences.append({key: pair for key, pair in pairs.items() if pair})
    return MethodFigures(method, sorted(runs), iterations, differences if base else [], _labels(runs))


def _figures(runs: Mapping[int, Summary]) -> dict[int, list[dict[str, float | None]]]:
    return {seed: [figures_of(row) for row in run.iterations] for seed, run in runs.items()}


def _at(figures: Mapping[int, list[dict[str, float | None]]], t: int, key: str) -> dict[int, float | None]:
    return {seed: rows[t][key] for seed, rows in figures.items() if t < len(rows)}


def _labels(runs: Mapping[int, Summary]) -> list[tuple[int, int]]:
    """Right and known labels by tenth of self-consistency."""
    rows = [row["measured"]["labels"] for run in runs.values() for row in run.iterations if row.get("measured")]
    return [(sum(row[tenth][0] for row in rows), sum(row[tenth][1] for row in rows)) for tenth in range(11)]


def _skill_groups(table: Mapping[Method, Mapping[int, Summary]], reference: Method) -> list[SkillGroup]:
    """Skills by the number of parts of their name (parts stand between dots), and by each part."""
    names: list[str] = next(iter(next(iter(table.values())).values())).skills["names"]
    groups: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        parts = name.split(".")
        for group in (f"{len(parts)} step{'s' if len(parts) > 1 else ''}", *sorted(set(parts))):
            groups.setdefault(group, []).append(i)
    kept = {group: members for group, members in groups.items() if len(members) >= FEWEST_SKILLS}
    return [_skill_group(group, kept[group], table, reference) for group in sorted(kept, key=_steps_first)]


def _steps_first(group: str) -> tuple[bool, str]:
    return (not group[0].isdigit(), group)


def _skill_group(name: str, members: list[int], table: Mapping[Method, Mapping[int, Summary]], reference: Method) -> SkillGroup:
    def at(run: Summary, t: int) -> float | None:
        return fmean(run.skills["accuracy_sampled"][t][i] for i in members)

    last = {method: {seed: at(run, -1) for seed, run in runs.items()} for method, runs in table.items()}
    base = {seed: at(run, 0) for runs in table.values() for seed, run in runs.items()}
    spreads = {method: found for method, values in last.items() if (found := spread(values))}
    pairs = {
        method: found
        for method, values in last.items()
        if method is not reference and (found := paired(values, last.get(reference, {})))
    }
    return SkillGroup(name, len(members), spread(base), spreads, pairs)
