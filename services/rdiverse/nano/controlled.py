"""The controlled test: does it matter for accuracy that training questions are diverse?

No Challenger and no votes: a Solver is trained on true answers, once on questions of many skills and once on as many
questions of few skills, with the same number of steps. Whatever differs afterwards comes from diversity alone.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from rdiverse.nano.benchmark import read_benchmark
from rdiverse.nano.corpus import SOLVER, held_out, pose
from rdiverse.nano.grammar import all_skills
from rdiverse.nano.language import write
from rdiverse.nano.sampling import complete_texts
from rdiverse.nano.scores import SAMPLES, SOLVER_TOKENS
from rdiverse.selfplay.parsing import last_boxed
from rdiverse.selfplay.seeds import derive_seed

MANY, FEW = "many", "few"


@dataclass(frozen=True)
class Accuracy:
    """Of one Solver on the held-out questions, one of every skill; shares in 0..1."""

    greedy: float
    sampled: float
    """At temperature 1, mean of four samples."""
    sampled_few: float
    """The same over the few skills of the seed."""
    sampled_others: float
    """And over all others."""


def few_skills(seed: int, count: int) -> list[str]:
    """The few skills of a seed, drawn from all."""
    return sorted(random.Random(derive_seed(seed, "nano", "few")).sample(all_skills(), count))  # noqa: S311


def lessons(arm: str, seed: int, few: int, count: int) -> list[dict[str, Any]]:
    """`count` different questions with true answers, skills in turn; none of the held-out sixteenth.

    Rows are those of a training set (`rdiverse.runs.tables.DATASET`).
    """
    rng = random.Random(derive_seed(seed, "nano", "lessons", arm))  # noqa: S311
    skills = all_skills() if arm == MANY else few_skills(seed, few)
    rng.shuffle(skills)
    rows: list[dict[str, Any]] = []
    asked: set[str] = set()
    while len(rows) < count:
        problem = pose(skills[len(rows) % len(skills)].split("."), rng)
        question = write(problem, rng) if problem is not None and not held_out(problem) else None
        if problem is not None and question is not None and question not in asked:
            asked.add(question)
            answer = str(problem.truth)
            rows.append({"question": question, "answer": answer, "source": "new", "iteration": 1, "share": 1.0})
    return rows


def accuracy(checkpoint: Path, few: Sequence[str], seed: int) -> Accuracy:
    """Measure a checkpoint; `seed` is the sampling's."""
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    model = AutoModelForCausalLM.from_pretrained(checkpoint)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(checkpoint)
    questions = read_benchmark()
    prompts = [f"{SOLVER} {row.question}" for row in questions]
    greedy = complete_texts(model, tokenizer, prompts, SOLVER_TOKENS, greedy=True)
    drawn = complete_texts(model, tokenizer, prompts * SAMPLES, SOLVER_TOKENS, seed=derive_seed(seed, "nano", "controlled"))
    right = [last_boxed(text) == row.answer for text, row in zip(drawn, questions * SAMPLES, strict=True)]
    inside = [row.skill in few for row in questions] * SAMPLES
    return Accuracy(
        greedy=fmean(last_boxed(text) == row.answer for text, row in zip(greedy, questions, strict=True)),
        sampled=fmean(right),
        sampled_few=fmean(r for r, i in zip(right, inside, strict=True) if i),
        sampled_others=fmean(r for r, i in zip(right, inside, strict=True) if not i),
    )
