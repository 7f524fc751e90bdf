"""What an evaluation found, as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rdiverse.evaluation.answers import EvaluationPlan, Pass
from rdiverse.evaluation.items import Benchmark
from rdiverse.evaluation.known import paper_averages
from rdiverse.evaluation.statistics import Estimate, mean_at_k, mean_of, pass_at_k, powers_of_two
from rdiverse.evaluation.worst import worst_tenth

INTERVAL = (
    "95 %, Wilson's score interval for the variance between questions; of a mean over benchmarks: limits added in squares"
)


@dataclass(frozen=True)
class Graded:
    """The samples of one pass over one benchmark, graded."""

    right: npt.NDArray[np.bool_]
    """(questions, samples): whether the boxed answer equals the gold answer."""
    unboxed: int
    """Samples without a boxed answer; they count as wrong."""
    cut: int
    """Samples that ended at the token limit."""
    tokens: int
    """Tokens drawn."""


@dataclass(frozen=True)
class BenchmarkFigures:
    """One benchmark."""

    name: str
    questions: int
    accuracy_sampled: float
    accuracy_sampled_interval: tuple[float, float]
    accuracy_greedy: float | None
    accuracy_greedy_interval: tuple[float, float] | None
    pass_at_k: dict[str, float]
    unboxed_sampled: int
    unboxed_greedy: int | None
    cut_sampled: int
    cut_greedy: int | None
    tokens_sampled: int


@dataclass(frozen=True)
class ScorerFigures:
    """Responses of one benchmark that each way of scoring calls right; null where a way was not asked for."""

    benchmark: str
    responses: int
    strict: int
    r_zero: int | None
    r_zero_alone: int | None
    """Right for R-Zero's scripts, wrong when scored strictly."""
    strict_alone: int | None
    judge: int | None
    """The same as the gold answer in the judge's opinion, whichever of the two it is shown first."""
    judge_undecided: int | None
    """Opinions that changed with the order, or could not be read in one; they are not in `judge`."""
    r_zero_with_judge: int | None
    """R-Zero's own use of a judge: only failures are asked about, gold and response exchanged."""


@dataclass(frozen=True)
class SkillFigures:
    """One skill, over all benchmarks that name skills."""

    skill: str
    questions: int
    accuracy_sampled: float
    accuracy_greedy: float | None


@dataclass(frozen=True)
class Evaluation:
    """Everything that is reported of one model. Accuracies over several benchmarks are their unweighted mean."""

    weights: str
    samples: int
    sampling: dict[str, float | int]
    seed: int | None
    questions: int
    accuracy_sampled: float
    accuracy_sampled_interval: tuple[float, float]
    accuracy_greedy: float | None
    accuracy_greedy_interval: tuple[float, float] | None
    interval: str
    worst_skill: float | None
    """Mean sampled accuracy of the worst tenth of the skills (see `worst_tenth`); null where no question names one."""
    pass_at_k: dict[str, float]
    unboxed_sampled: int
    unboxed_greedy: int | None
    grader_timeouts: int
    paper_averages_sampled: dict[str, float | None]
    """The paper's two averages; null unless every benchmark of an average is there."""
    paper_averages_greedy: dict[str, float | None]
    benchmarks: tuple[BenchmarkFigures, ...]
    skills: tuple[SkillFigures, ...]
    scorers: tuple[ScorerFigures, ...]
    """Other ways of scoring the greedy responses, or the sampled ones where there are no greedy ones."""

    def to_json(self) -> dict[str, Any]:
        """As nested dicts and lists."""
        return asdict(self)


def benchmark_figures(benchmark: Benchmark, sampled: Graded, greedy: Graded | None) -> BenchmarkFigures:
    """Sum up one benchmark."""
    mean = mean_at_k(sampled.right)
    best = mean_at_k(greedy.right) if greedy else None
    return BenchmarkFigures(
        name=benchmark.name,
        questions=len(benchmark.items),
        accuracy_sampled=mean.value,
        accuracy_sampled_interval=(mean.low, mean.high),
        accuracy_greedy=best.value if best else None,
        accuracy_greedy_interval=(best.low, best.high) if best else None,
        pass_at_k={str(k): pass_at_k(sampled.right, k) for k in powers_of_two(sampled.right.shape[1])},
        unboxed_sampled=sampled.unboxed,
        unboxed_greedy=greedy.unboxed if greedy else None,
        cut_sampled=sampled.cut,
        cut_greedy=greedy.cut if greedy else None,
        tokens_sampled=sampled.tokens,
    )


def skill_figures(
    benchmarks: Sequence[Benchmark], sampled: list[Graded], greedy: list[Graded] | None
) -> tuple[tuple[SkillFigures, ...], float | None]:
    """Every named skill, in alphabetical order, and the accuracy of the worst tenth of them."""
    names = np.array([item.skill or "" for benchmark in benchmarks for item in benchmark.items])
    skills, skill_of = np.unique(names, return_inverse=True)
    drawn = np.concatenate([graded.right for graded in sampled])
    best = np.concatenate([graded.right[:, 0] for graded in greedy]) if greedy else None
    figures = []
    answers = []
    for i, skill in enumerate(skills):
        if skill:
            rows = skill_of == i
            top = float(best[rows].mean()) if best is not None else None
            figures.append(SkillFigures(str(skill), int(rows.sum()), float(drawn[rows].mean()), top))
            answers.append(drawn[rows])
    return tuple(figures), worst_tenth(answers) if answers else None


def sum_up(
    plan: EvaluationPlan,
    graded: Mapping[Pass, list[Graded]],
    weights: str,
    grader_timeouts: int,
    scorers: tuple[ScorerFigures, ...] = (),
) -> Evaluation:
    """Make the figures of an evaluation from its graded samples, benchmark by benchmark, of one pass or both."""
    sampled, greedy = graded[Pass.SAMPLED], graded.get(Pass.GREEDY)
    tops: Sequence[Graded | None] = greedy or [None] * len(sampled)
    rows = [benchmark_figures(*each) for each in zip(plan.benchmarks, sampled, tops, strict=True)]
    skills, worst = skill_figures(plan.benchmarks, sampled, greedy)
    mean = mean_of([mean_at_k(each.right) for each in sampled])
    best: Estimate | None = mean_of([mean_at_k(each.right) for each in greedy]) if greedy else None
    return Evaluation(
        weights=weights,
        samples=plan.samples,
        sampling=plan.sampling.model_dump(),
        seed=plan.seed,
        questions=sum(row.questions for row in rows),
        accuracy_sampled=mean.value,
        accuracy_sampled_interval=(mean.low, mean.high),
        accuracy_greedy=best.value if best else None,
        accuracy_greedy_interval=(best.low, best.high) if best else None,
        interval=INTERVAL,
        worst_skill=worst,
        pass_at_k={k: float(np.mean([row.pass_at_k[k] for row in rows])) for k in rows[0].pass_at_k},
        unboxed_sampled=sum(each.unboxed for each in sampled),
        unboxed_greedy=sum(each.unboxed for each in greedy) if greedy else None,
        grader_timeouts=grader_timeouts,
        paper_averages_sampled=paper_averages({row.name: row.accuracy_sampled for row in rows}),
        paper_averages_greedy=paper_averages(
            {row.name: row.accuracy_greedy for row in rows if row.accuracy_greedy is not None}
        ),
        benchmarks=tuple(rows),
        skills=skills,
        scorers=scorers,
    )
