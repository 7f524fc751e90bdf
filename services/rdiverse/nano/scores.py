"""What the base model can do, measured as the loop will use it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from rdiverse.nano.benchmark import BenchmarkQuestion
from rdiverse.nano.corpus import CHALLENGER, CODER, SOLVER
from rdiverse.nano.language import read
from rdiverse.nano.sampling import complete_texts
from rdiverse.selfplay.extraction import find_program
from rdiverse.selfplay.parsing import last_boxed, parse_proposal
from rdiverse.selfplay.programs import ProgramError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

SOLVER_TOKENS, CHALLENGER_TOKENS, CODER_TOKENS = 48, 72, 96
SAMPLES = 4
PROPOSALS = 400
VOTERS = 10


@dataclass(frozen=True)
class Scores:
    """Shares in 0..1."""

    greedy: float
    """Held-out questions answered rightly by greedy decoding."""
    sampled: float
    """The same at temperature 1, mean of four samples."""
    parseable: float
    """Proposals (temperature 1, top-p 0.95) that have a question and a boxed answer."""
    well_posed: float
    """Proposals whose question has a truth, of all."""
    coder: float
    """Well-posed proposals whose greedy program is exactly the true one."""
    held_out_coder: float
    """The same for the held-out questions, whose skills are uniform."""
    in_band: float
    """Well-posed proposals whose majority has 3 to 8 of ten votes."""
    label_accuracy: dict[str, float]
    """How often the majority of ten is right, by its votes."""
    refused: float
    """Votes without a box about proposals that are ill-posed."""


def measure(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerFast",
    questions: Sequence[BenchmarkQuestion],
    seed: int = 0,
    proposals: int = PROPOSALS,
) -> Scores:
    """Score a model on held-out questions and on what it proposes itself."""
    prompts = [f"{SOLVER} {row.question}" for row in questions]
    truths = [row.answer for row in questions]
    greedy = complete_texts(model, tokenizer, prompts, SOLVER_TOKENS, greedy=True)
    sampled = complete_texts(model, tokenizer, prompts * SAMPLES, SOLVER_TOKENS, seed=seed)
    written = complete_texts(model, tokenizer, [CHALLENGER] * proposals, CHALLENGER_TOKENS, seed=seed + 1, top_p=0.95)
    proposed = [found.question for text in written if (found := parse_proposal(text)) is not None]
    problems = [read(question) for question in proposed]
    posed = [(text, problem) for text, problem in zip(proposed, problems, strict=True) if problem and problem.truth is not None]
    broken = [text for text, problem in zip(proposed, problems, strict=True) if not problem or problem.truth is None]
    votes = _votes(model, tokenizer, [text for text, _ in posed], seed + 2)
    by_votes = _label_accuracy(votes, [str(problem.truth) for _, problem in posed])
    refusals = [vote for row in _votes(model, tokenizer, broken, seed + 3) for vote in row]
    return Scores(
        greedy=fmean(last_boxed(text) == truth for text, truth in zip(greedy, truths, strict=True)),
        sampled=fmean(last_boxed(text) == truth for text, truth in zip(sampled, truths * SAMPLES, strict=True)),
        parseable=len(proposed) / proposals,
        well_posed=len(posed) / proposals,
        coder=_coder(model, tokenizer, [text for text, _ in posed]),
        held_out_coder=_coder(model, tokenizer, [row.question for row in questions]),
        in_band=fmean(3 <= _majority(row)[1] <= 8 for row in votes) if votes else 0.0,
        label_accuracy=by_votes,
        refused=fmean(vote is None for vote in refusals) if refusals else 1.0,
    )


def as_record(scores: Scores) -> dict[str, object]:
    """The scores as JSON, rounded to four places."""
    return {
        name: {key: round(share, 4) for key, share in value.items()} if isinstance(value, dict) else round(value, 4)
        for name, value in asdict(scores).items()
    }


def _coder(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerFast", questions: Sequence[str]) -> float:
    programs = complete_texts(model, tokenizer, [f"{CODER} {text}" for text in questions], CODER_TOKENS, greedy=True)
    right = []
    for text, question in zip(programs, questions, strict=True):
        problem = read(question)
        right.append(problem is not None and _program(text) == problem.program)
    return fmean(right) if right else 0.0


def _program(completion: str) -> str | None:
    try:
        return " ".join(find_program(completion).text.split())
    except ProgramError:
        return None


def _votes(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerFast", questions: Sequence[str], seed: int
) -> list[list[str | None]]:
    """Ten boxed answers to each question."""
    prompts = [f"{SOLVER} {text}" for text in questions for _ in range(VOTERS)]
    answers = [last_boxed(text) for text in complete_texts(model, tokenizer, prompts, SOLVER_TOKENS, seed=seed)]
    return [answers[at : at + VOTERS] for at in range(0, len(answers), VOTERS)]


def _majority(votes: Sequence[str | None]) -> tuple[str | None, int]:
    boxed = [vote for vote in votes if vote is not None]
    if not boxed:
        return None, 0
    answer = max(sorted(set(boxed)), key=boxed.count)
    return answer, boxed.count(answer)


def _label_accuracy(votes: Sequence[Sequence[str | None]], truths: Sequence[str]) -> dict[str, float]:
    found: dict[str, list[bool]] = {"1-2": [], "3-4": [], "5-6": [], "7-8": [], "9-10": []}
    for row, truth in zip(votes, truths, strict=True):
        answer, count = _majority(row)
        if count:
            found[list(found)[(count - 1) // 2]].append(answer == truth)
    return {votes_range: fmean(right) for votes_range, right in found.items() if right}
