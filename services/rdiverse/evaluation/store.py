"""Where answers are kept until they are graded: in a folder that may survive the process."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rdiverse.config import differing_fields
from rdiverse.evaluation.answers import EvaluationPlan, Pass, Portion, Response
from rdiverse.runs.files import write_json, written_aside


class StoreError(ValueError):
    """A folder of answers cannot be used; the text names the file or the fields."""


@dataclass(frozen=True)
class AnsweredPortion:
    """The answers of one portion."""

    answers: list[list[Response]]
    """A list a question."""
    weights: str
    """Version of the weights that answered."""


class AnswerStore:
    """Keeps every portion as a file of JSON lines, a question a line, that is there whole or not at all.

    `<folder>/plan.json` says what is asked; another plan in the same folder is refused with StoreError.
    """

    def __init__(self, folder: Path, plan: EvaluationPlan) -> None:
        self._folder = folder
        self._questions = [(benchmark.name, i) for benchmark in plan.benchmarks for i in range(len(benchmark.items))]
        settings = _settings(plan)
        path = folder / "plan.json"
        if path.exists():
            try:
                before = json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise StoreError(f"{path}: is not JSON; {folder} holds no evaluation that can go on") from error
            differing = differing_fields(before, settings)
            if differing:
                raise StoreError(f"{folder} holds answers to another evaluation:\n" + "\n".join(f"  {d}" for d in differing))
        else:
            write_json(path, settings)
        found = sorted((folder / "responses").glob("*.jsonl"))
        self.weights: str = self._read(found[0])[0]["weights"] if found else ""
        """Version of the weights whose answers are held; empty while there are none."""

    def has(self, portion: Portion) -> bool:
        """Whether a portion is held."""
        return self._path(portion).exists()

    def add(self, portion: Portion, answered: AnsweredPortion) -> None:
        """Hold a portion: its file is on the disk when this returns."""
        lines = []
        for (benchmark, index), answers in zip(self._questions[portion.start : portion.stop], answered.answers, strict=True):
            row = {"benchmark": benchmark, "index": index, "weights": answered.weights, "answers": [vars(a) for a in answers]}
            lines.append(json.dumps(row, ensure_ascii=False) + "\n")
        with written_aside(self._path(portion)) as aside:
            aside.write_text("".join(lines), encoding="utf-8")
        self.weights = answered.weights

    def answers(self, portions: list[Portion]) -> list[list[Response]]:
        """The answers of portions that are held, one after the other. Raises StoreError for a file that is not whole."""
        found = []
        for portion in portions:
            rows = self._read(self._path(portion))
            if [(row["benchmark"], row["index"]) for row in rows] != self._questions[portion.start : portion.stop]:
                raise StoreError(f"{self._path(portion)}: does not hold the questions {portion.start} to {portion.stop - 1}")
            if {row["weights"] for row in rows} != {self.weights}:
                raise StoreError(f"{self._path(portion)}: was answered by other weights than {self.weights}")
            found += [[Response(**answer) for answer in row["answers"]] for row in rows]
        return found

    def _path(self, portion: Portion) -> Path:
        return self._folder / "responses" / f"{portion.kind}-{portion.number:05d}.jsonl"

    def _read(self, path: Path) -> list[dict[str, Any]]:
        try:
            lines = path.read_text(encoding="utf-8").split("\n")
            rows = [json.loads(line) for line in lines if line]
            if not rows:
                raise ValueError("it is empty")
            return rows
        except (OSError, ValueError) as error:
            raise StoreError(f"{path}: cannot be read; delete it to have its questions asked again ({error})") from error


def _settings(plan: EvaluationPlan) -> Mapping[str, Any]:
    return {
        "benchmarks": {benchmark.name: benchmark.digest for benchmark in plan.benchmarks},
        "samples": plan.samples,
        "sampling": plan.sampling.model_dump(),
        "greedy": plan.greedy,
        "seed": plan.seed,
        "weights": plan.weights,
        "portion_rows": plan.portion_rows,
    }


def passes(plan: EvaluationPlan, store: AnswerStore) -> dict[Pass, list[list[Response]]]:
    """All answers of each pass, in the order of `plan.items`."""
    portions = plan.portions()
    return {kind: store.answers([p for p in portions if p.kind is kind]) for kind in dict.fromkeys(p.kind for p in portions)}
