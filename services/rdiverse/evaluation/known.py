"""The ten test sets of the paper's Table 1, by the names and hub ids that R-Zero's evaluation scripts use."""

from collections.abc import Mapping
from dataclasses import dataclass

from rdiverse.evaluation.items import Kind

HUB_SCHEME = "hub:"


@dataclass(frozen=True)
class HubSet:
    """Where a test set lives on the Hugging Face hub."""

    dataset: str
    split: str
    config: str | None = None
    kind: Kind = Kind.MATH


MATH_SETS: Mapping[str, HubSet] = {
    "amc23": HubSet("zwhe99/amc23", "test"),
    "minerva": HubSet("zwhe99/simplerl-minerva-math", "test"),
    "math500": HubSet("HuggingFaceH4/MATH-500", "test"),
    "gsm8k": HubSet("openai/gsm8k", "test", "main"),
    "olympiadbench": HubSet("zwhe99/simplerl-OlympiadBench", "test"),
    "aime24": HubSet("HuggingFaceH4/aime_2024", "train"),
    "aime25": HubSet("yentinglin/aime_2025", "train", "default"),
}
GENERAL_SETS: Mapping[str, HubSet] = {
    "supergpqa": HubSet("m-a-p/SuperGPQA", "train", kind=Kind.CHOICE),
    "mmlu-pro": HubSet("TIGER-Lab/MMLU-Pro", "test", kind=Kind.CHOICE),
    "bbeh": HubSet("MrLight/bbeh-eval", "train", kind=Kind.TEXT),
}
KNOWN: Mapping[str, HubSet] = {**MATH_SETS, **GENERAL_SETS}


def paper_averages(accuracies: Mapping[str, float]) -> dict[str, float | None]:
    """The paper's two averages: over the seven mathematical sets, and of that average with the three general sets.

    `accuracies` maps names to shares; an average that lacks a set is null rather than an average of something else.
    """
    mathematics = _mean([accuracies.get(name) for name in MATH_SETS])
    return {
        "math_average": mathematics,
        "overall_average": _mean([mathematics, *(accuracies.get(name) for name in GENERAL_SETS)]),
    }


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None
