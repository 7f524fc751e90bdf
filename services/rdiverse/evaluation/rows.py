"""Where the public test sets keep question and gold answer: each has its own field names.

- question: `question` (GSM8K, OlympiadBench, ours) or `problem` (MATH-500, Minerva, AMC, AIME), after any `context`;
- options: `options`, of a multiple choice (SuperGPQA, MMLU-Pro);
- answer: `answer_letter` (SuperGPQA); `final_answer`, a list of one (OlympiadBench); `answer`, after `####` if that stands
  in it (GSM8K), a number or a text; else the last boxed part of `solution` (Minerva);
- skill: `skill` (ours), null where unknown.
"""

from collections.abc import Mapping
from typing import Any

from rdiverse.evaluation.choice import LETTERS, with_options
from rdiverse.evaluation.items import BenchmarkItem, Kind
from rdiverse.selfplay.parsing import last_boxed


def read_item(row: Mapping[str, Any], kind: Kind = Kind.MATH) -> BenchmarkItem:
    """The item of one row; a row with options is a multiple choice whatever its set. Raises ValueError that names the field."""
    options = _options(row)
    if options:
        return BenchmarkItem(with_options(_question(row), options), _letter(row, options), _skill(row), Kind.CHOICE, options)
    if kind is Kind.CHOICE:
        raise ValueError("options: must be there for a multiple choice")
    return BenchmarkItem(_question(row), _gold(row), _skill(row), kind)


def _question(row: Mapping[str, Any]) -> str:
    text = row.get("question", row.get("problem"))
    if not isinstance(text, str) or not text.strip():
        raise ValueError("question (or problem): must be a text that is not empty")
    context = row.get("context")
    return f"{context}\n\n{text}" if context else text


def _options(row: Mapping[str, Any]) -> tuple[str, ...]:
    options = row.get("options") or ()
    if not isinstance(options, list | tuple) or not all(isinstance(option, str) for option in options):
        raise ValueError("options: must be a list of texts")
    if options and not 2 <= len(options) <= len(LETTERS):
        raise ValueError(f"options: must hold 2 to {len(LETTERS)} texts, holds {len(options)}")
    return tuple(options)


def _letter(row: Mapping[str, Any], options: tuple[str, ...]) -> str:
    letter = row.get("answer_letter", row.get("answer"))
    if not isinstance(letter, str) or letter.strip() not in tuple(LETTERS[: len(options)]):
        raise ValueError(f"answer_letter (or answer): must be a letter from A to {LETTERS[len(options) - 1]}, is {letter!r}")
    return letter.strip()


def _gold(row: Mapping[str, Any]) -> str:
    if "final_answer" in row:
        final = row["final_answer"]
        if not isinstance(final, list) or len(final) != 1:
            raise ValueError("final_answer: must be a list of one text")
        return _text("final_answer", final[0])
    if "answer" in row:
        answer = row["answer"]
        if isinstance(answer, str) and "####" in answer:
            answer = answer.rpartition("####")[2]
        return _text("answer", answer)
    boxed = last_boxed(str(row.get("solution", "")))
    if boxed is None:
        raise ValueError("answer (or final_answer, or a boxed answer in solution): must be there")
    return boxed


def _text(field: str, value: Any) -> str:
    """A gold answer as text. JSON writes the integers of some sets as 27.0; the dot is not part of the answer."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float) or not str(value).strip():
        raise ValueError(f"{field}: must be a number or a text that is not empty")
    return str(value).strip()


def _skill(row: Mapping[str, Any]) -> str | None:
    skill = row.get("skill")
    if skill is not None and not isinstance(skill, str):
        raise ValueError("skill: must be a text or null")
    return skill
