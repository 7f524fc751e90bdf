"""What is compared, in the tables' order."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from rdiverse.report import marks


class Measure(NamedTuple):
    """One figure of an iteration."""

    key: str
    title: str
    form: Literal["percent", "decimal"]
    says: str
    """What it is, in a sentence."""


MEASURES = (
    Measure("accuracy_sampled", "sampled", "percent", "Held-out questions answered rightly, mean over samples."),
    Measure("accuracy_greedy", "greedy", "percent", "The same with greedy decoding."),
    Measure("worst_skill", "worst tenth", "percent", "Sampled accuracy of the worst tenth of the skills, luck taken out."),
    Measure("label_accuracy", "labels right", "percent", "Kept questions with a truth whose pseudo-label equals it."),
    Measure("ill_posed_share", "ill-posed", "percent", "Kept questions that cannot be read or have no truth."),
    Measure("malformed_share", "malformed", "percent", "Completions of the pool without a question or a boxed answer."),
    Measure("kept_share", "kept", "percent", "Completions of the pool that are kept for training."),
    Measure("effective_skills", "effective skills", "decimal", "Exponential of the entropy of the kept programs' clusters."),
    Measure("intra_iteration_repetition", "repeats within", "percent", "Kept questions with a like one in the iteration."),
    Measure("cross_iteration_repetition", "repeats across", "percent", "Kept questions with a like one in the memory."),
    Measure("mean_s_max", "mean S_max", "decimal", "Mean largest cosine of the kept to the memory."),
    Measure("coverage", "coverage", "percent", "Skills of the world that any question kept so far has exercised."),
    Measure("seen_p_rep", "P_rep seen", "decimal", "Mean P_rep in the Challenger's training, as the method measures it."),
    Measure("seen_p_map", "P_MAP seen", "decimal", "Mean P_MAP in the Challenger's training, as the method measures it."),
    Measure("p_rep_spread", "P_rep spread", "decimal", "Standard deviation of P_rep by programs over the kept questions."),
    Measure("p_rep_words", "P_rep by words", "decimal", "Mean P_rep by BLEU over the same kept questions."),
    Measure("p_rep_words_spread", "P_rep by words, spread", "decimal", "Standard deviation of the same."),
    Measure("p_map_spread", "P_MAP spread", "decimal", "Standard deviation of P_MAP by programs over the kept questions."),
)
"""Repetition, S_max and the spreads are measured alike for every method, whatever its penalty sees."""


def figures_of(row: Mapping[str, Any]) -> dict[str, float | None]:
    """The measures of one iteration of a summary; null where the iteration has none."""
    terms = row.get("reward_terms") or {}
    proposed = row.get("proposed")
    shares = {
        "malformed_share": _share(row.get("malformed"), proposed),
        "kept_share": _share(row.get("kept"), proposed),
        "seen_p_rep": terms.get("p_rep"),
        "seen_p_map": terms.get("p_map"),
    }
    found = {**row, **row.get("measured", {}), **shares}
    return {measure.key: found.get(measure.key) for measure in MEASURES}


def written(measure: Measure) -> Callable[[float], str]:
    """How a measure is written."""
    return marks.percent if measure.form == "percent" else marks.decimal


def width_written(measure: Measure, width: float, mean: float) -> str:
    """Half an interval's width, to the places of the mean that it belongs to."""
    if measure.form == "percent":
        return f"{width * 100:.1f}"
    return f"{width:.3f}" if abs(mean) < 10 else f"{width:.1f}"


def difference_written(measure: Measure, mean: float) -> str:
    """A signed difference; of shares, in percentage points."""
    value = mean * 100 if measure.form == "percent" else mean
    text = f"{abs(value):.1f}" if measure.form == "percent" or abs(value) >= 10 else f"{abs(value):.3f}"
    return ("+" if value > 0 else "−" if value < 0 else "") + text


def _share(part: float | None, whole: float | None) -> float | None:
    return None if part is None or not whole else part / whole
