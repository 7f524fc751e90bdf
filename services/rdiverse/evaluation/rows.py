"""Where the public test sets keep question and gold answer: each has its own field names.

- question: `question` (GSM8K, OlympiadBench, ours) or `problem` (MATH-500, Minerva, AMC, AIME), after any `context`;
- answer: `final_answer`, a list of one (OlympiadBench); `answer`, after `####` if that stands in it (GSM8K), a number or a
  text; else the last boxed part of `solution` (Minerva);
- skill: `skill` (ours), null where unknown.
"""

from collections.abc import Mapping
from typing import Any

from rdiverse.selfplay.parsing import last_boxed


def read_item(row: Mapping[str, Any]) -> tuple[str, str, str | None]:
    """Question, gold answer and skill of one row. Raises ValueError that names the field."""
    return _question(row), _gold(row), _skill(row)


def _question(row: Mapping[str, Any]) -> str:
    text = row.get("question", row.get("problem"))
    if not isinstance(text, str) or not text.strip():
        raise ValueError("question (or problem): a text that is not empty is required")
    context = row.get("context")
    return f"{context}\n\n{text}" if context else text


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
        raise ValueError("answer (or final_answer, or a boxed answer in solution): is required")
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
