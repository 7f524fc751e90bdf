"""The page's charts: which figures stand in each, and what its caption says of them."""

from collections import defaultdict
from typing import Any, NamedTuple

from markupsafe import Markup

from rdiverse.report import skillmap
from rdiverse.report.charts import Point, Series, histogram, legend, line_chart
from rdiverse.report.data import IterationData, Row, RunData
from rdiverse.report.marks import DOWN, UP, axis_decimal, decimal
from rdiverse.report.text import visible
from rdiverse.selfplay.methods import TRAITS, Method, Similarity


class Figure(NamedTuple):
    """A chart with everything that is said around it."""

    title: str
    legend: Markup
    chart: Markup
    caption: str


ACCURACY = "The Solver on questions that it was never trained on. Iteration 0 is the base model."
MIN_ANSWERS = 16
"""With fewer answers a skill its accuracy is mostly luck, and a list of the worst is a list of the unlucky."""
LABELS = (
    "Each well-formed question is answered several times; s is the share of the answers that agree with the majority. "
    "Questions outside the band are turned away as too easy or too uncertain."
)


def accuracy(data: RunData) -> list[Figure]:
    """Held-out accuracy by iteration, and its spread over skills."""
    sampled, greedy = _series(data, "accuracy_sampled", "sampled" + UP, 0), _series(data, "accuracy_greedy", "greedy" + UP, 1)
    worst = _series(data, "worst_skill", "worst tenth of skills, sampled" + UP, 2)
    found = next((item.evaluation for item in data.iterations if item.evaluation), None)
    said = ""
    if found:
        said = (
            f" {found['questions']:,} questions. Sampled: the mean of {found['samples']} drawn at temperature "
            f"{found['sampling']['temperature']:g}, top-p {found['sampling']['top_p']:g}. Whiskers: {found['interval']}."
        )
    caption = "Share of right answers; no box is a wrong answer, nothing is guessed." + said
    if worst.points:
        caption += " The worst tenth of the skills is an estimate with luck taken out."
    main = _figure("Held-out accuracy", [sampled, greedy, worst], caption)
    curve = _pass_at_k(data)
    return [figure for figure in (main, curve, _solved_skills(data)) if figure]


def illusion_text(data: RunData) -> str:
    """What the reader is to compare."""
    similarity = TRAITS[Method(data.summary["method"])].similarity
    saw = {
        Similarity.NONE: "No penalty was at work; repetition is measured all the same.",
        Similarity.BLEU: "In training, P_rep compared the words of the questions (BLEU).",
        Similarity.TEXT: "In training, penalties compared embeddings of the questions' words.",
        Similarity.PROGRAM: "In training, penalties compared the programs that solve the questions.",
    }[similarity]
    return (
        f"{saw} What was really repeated is measured for every method by the programs of the kept questions. A penalty that "
        "falls while repetition rises sees a diversity that is not there."
    )


def illusion(data: RunData) -> list[Figure]:
    """The paper's Figure 1a: penalties in training beside measured repetition."""
    terms = [("p_rep", "P_rep, repetition in the batch" + DOWN, 0)]
    if TRAITS[Method(data.summary["method"])].memory_penalty:
        terms.append(("p_map", "P_MAP, likeness to the memory" + DOWN, 1))
    return [
        figure
        for figure in (
            _figure(
                "What the penalty saw",
                [_series(data, key, name, slot, within="reward_terms") for key, name, slot in terms],
                "Mean penalties over the questions of the Challenger's training batches in each iteration. P_MAP begins in "
                "iteration 2: before, there is nothing to compare with.",
                shares=False,
            ),
            _figure(
                "What was repeated",
                [
                    _series(data, "intra_iteration_repetition", "within the iteration" + DOWN, 2),
                    _series(data, "cross_iteration_repetition", "of earlier iterations" + DOWN, 3),
                ],
                "Share of the kept questions whose nearest other question, in the same or in any earlier iteration, has a "
                "program at a cosine above 0.9. Iteration 1 has no past.",
            ),
            _figure(
                "Effective skills",
                [_series(data, "effective_skills", "effective skills" + UP, 0)],
                "The exponential of the entropy of the kept questions' cluster sizes: as diverse as that many equal clusters.",
                shares=False,
            ),
            _figure(
                "Likeness among the kept",
                [
                    _series(data, "mean_cosine", "mean cosine within" + DOWN, 2),
                    _series(data, "mean_s_max", "mean S_max to the past" + DOWN, 3),
                ],
                "Mean cosine over all pairs of programs kept in one iteration; mean cosine to the nearest remembered program.",
                shares=False,
            ),
        )
        if figure
    ]


def labels(data: RunData) -> list[Figure]:
    """What the questions and their labels were worth."""
    known = _figure(
        "Right labels and ill-posed questions",
        [
            _series(data, "label_accuracy", "labels that are right" + UP, 0),
            _series(data, "ill_posed_share", "ill-posed questions" + DOWN, 1),
        ],
        "Among the kept questions: the share of pseudo-labels equal to the truth, of those that have one, and the share of "
        "questions without a meaning that can be computed.",
    )
    return [figure for figure in (known, _label_accuracy(data)) if figure]


def consistency(data: RunData) -> list[Figure]:
    """A histogram of self-consistency for each iteration."""
    band = data.config["solver"]["band"]
    drawn = [_consistency(item, band) for item in data.iterations if item.labels]
    return [figure for figure in drawn if figure]


def skill_map(data: RunData) -> dict[str, Any] | None:
    """The map of all iterations, and one of each before its past."""
    used = [item for item in data.iterations if item.kept]
    found = skillmap.project([(item.t, item.vectors, [visible(row["question"], 90) for row in item.kept]) for item in used])
    if found is None:
        return None
    order = [item.t for item in used]
    return {
        "all": skillmap.draw(found, order),
        "each": [(t, skillmap.draw(found, order, only=t)) for t in order],
        "key": [(t, skillmap.colour(t, order)) for t in order],
        "explained": found.explained,
        "shown": found.shown,
        "total": found.total,
    }


def worst_skills(data: RunData) -> list[dict[str, Any]]:
    """The ten skills in which the last Solver is worst, beside the base model; none where few answers make each figure."""
    evaluated = [item.evaluation for item in data.iterations if item.evaluation]
    if not evaluated or not evaluated[-1]["skills"]:
        return []
    answers = [skill["questions"] * evaluated[-1]["samples"] for skill in evaluated[-1]["skills"]]
    if min(answers) < MIN_ANSWERS:
        return []
    base = {skill["skill"]: skill for skill in evaluated[0]["skills"]}
    worst = sorted(evaluated[-1]["skills"], key=lambda skill: (skill["accuracy_sampled"], skill["skill"]))[:10]
    return [{**skill, "base": base[skill["skill"]]["accuracy_sampled"]} for skill in worst]


def _figure(title: str, series: list[Series], caption: str, shares: bool = True) -> Figure | None:
    chart = line_chart(series, title) if shares else line_chart(series, title, show=decimal, tick=axis_decimal)
    return Figure(title, legend(series), chart, caption) if chart else None


def _series(data: RunData, key: str, name: str, slot: int, within: str = "") -> Series:
    points = []
    for item in data.iterations:
        row: Row = item.figures.get(within) or {} if within else item.figures
        if row.get(key) is not None and not (key == "p_map" and item.t == 1):
            points.append(Point(item.t, row[key], *_interval(item, key)))
    return Series(name, slot, points)


def _interval(item: IterationData, key: str) -> tuple[float, float] | tuple[()]:
    found = (item.evaluation or {}).get(f"{key}_interval")
    return tuple(found) if found else ()


def _pass_at_k(data: RunData) -> Figure | None:
    evaluated = [(item.t, item.evaluation) for item in data.iterations if item.evaluation]
    if len(evaluated) < 2 or len(evaluated[0][1]["pass_at_k"]) < 2:
        return None
    ends = (evaluated[0], evaluated[-1])
    series = [
        Series(f"iteration {t}", slot, [Point(int(k), value) for k, value in found["pass_at_k"].items()])
        for slot, (t, found) in enumerate(ends)
    ]
    chart = line_chart(series, "pass@k", x_label="k, samples")
    caption = (
        "Chance that k samples hold a right answer (unbiased estimate), first and last model. A curve that rises at k = 1 "
        "alone was sharpened, not widened."
    )
    return Figure("pass@k", legend(series), chart, caption) if chart else None


def _label_accuracy(data: RunData) -> Figure | None:
    """How far self-consistency can be trusted, where the truth is known."""
    right: dict[int, list[bool]] = defaultdict(list)
    for item in data.iterations:
        for row in item.labels:
            if row["truth_agrees"] is not None:
                right[round(row["share"] * 10)].append(row["truth_agrees"])
    points = [Point(tenth / 10, sum(agree) / len(agree)) for tenth, agree in sorted(right.items())]
    series = [Series("labels that are right", 0, points)]
    chart = line_chart(series, "Right labels by self-consistency", "self-consistency s", x_every=0.1)
    caption = (
        f"All {sum(map(len, right.values())):,} labelled questions of all iterations whose truth is known, kept or not, by s "
        "to the nearest tenth."
    )
    return Figure("Right labels by self-consistency", legend(series), chart, caption) if chart else None


def _solved_skills(data: RunData) -> Figure | None:
    """Skills at both ends."""
    by_iteration = [
        (item.t, [skill["accuracy_sampled"] for skill in item.evaluation["skills"]])
        for item in data.iterations
        if item.evaluation and item.evaluation["skills"]
    ]
    series = [
        Series(name, slot, [Point(t, sum(a == end for a in found) / len(found)) for t, found in by_iteration])
        for name, slot, end in (("always solved" + UP, 0, 1.0), ("never solved" + DOWN, 3, 0.0))
    ]
    chart = line_chart(series, "Skills always and never solved")
    if chart is None:
        return None
    found = next(item.evaluation for item in data.iterations if item.evaluation)
    answers = sum(skill["questions"] for skill in found["skills"]) * found["samples"] / len(found["skills"])
    caption = (
        f"Share of the {len(by_iteration[0][1]):,} skills of the benchmarks all of whose sampled answers were right, or none; "
        f"{answers:.3g} answers a skill, so luck makes part of both."
    )
    return Figure("Skills always and never solved", legend(series), chart, caption)


def _consistency(item: IterationData, band: list[float]) -> Figure | None:
    counts, inside = [0] * 11, [False] * 11
    for row in item.labels:
        counts[round(row["share"] * 10)] += 1
    for i in range(11):
        inside[i] = band[0] - 1e-9 <= i / 10 <= band[1] + 1e-9
    title = f"Self-consistency, iteration {item.t}"
    chart = histogram(counts, inside, [f"{i / 10:g}" for i in range(11)], title)
    caption = (
        f"{len(item.labels):,} labelled questions by s, to the nearest tenth; in colour the band {band[0]:g} to {band[1]:g}."
    )
    return Figure(title, Markup(""), chart, caption) if chart else None
