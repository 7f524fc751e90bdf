"""A run as the comparison keeps it: one small file a run, enough for every table and figure."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rdiverse.runs.files import written_aside
from rdiverse.selfplay.methods import Method
from rdiverse_pipelines.comparison.setting import Setting

FORMAT = 1


class SummaryError(ValueError):
    """A file is no summary, or one of another comparison; the text names it and the difference."""


@dataclass(frozen=True)
class Summary:
    """One finished run."""

    method: Method
    seed: int
    setting: Setting
    iterations: list[dict[str, Any]]
    """Row t: the run's own summary of iteration t, and under `measured` what only the comparison needs."""
    skills: dict[str, Any]
    """`names`, and `accuracy_sampled` as a list an iteration in their order; both empty where no benchmark names skills."""
    wall_seconds: float
    made: dict[str, Any]
    """Commit, machine and date."""

    @property
    def name(self) -> str:
        """The file's name within the folder of summaries."""
        return summary_name(self.method, self.seed)

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all; a line for each iteration keeps its history readable."""
        head = {"format": FORMAT, "method": str(self.method), "seed": self.seed, "wall_seconds": self.wall_seconds}
        parts = [f"{json.dumps(key)}: {_compact(value)}" for key, value in head.items()]
        parts.append(f'"made": {_compact(self.made)}')
        parts.append(f'"setting": {_compact(self.setting.to_json())}')
        rows = ",\n".join(_compact(row) for row in self.iterations)
        parts.append(f'"iterations": [\n{rows}\n]')
        parts.append(f'"skills": {_compact(self.skills)}')
        with written_aside(path) as aside:
            aside.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


def summary_name(method: Method, seed: int) -> str:
    """The name of a run's summary."""
    return f"{method}-seed{seed}.json"


def read_summary(path: Path) -> Summary:
    """Read a summary. Raises SummaryError naming the file."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            raise ValueError(f"format {data['format']}: this version reads format {FORMAT}")
        return Summary(
            method=Method(data["method"]),
            seed=int(data["seed"]),
            setting=Setting.read(data["setting"]),
            iterations=list(data["iterations"]),
            skills=dict(data["skills"]),
            wall_seconds=float(data["wall_seconds"]),
            made=dict(data["made"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SummaryError(f"{path}: is not the summary of a run: {error}") from error


def read_summaries(folder: Path, setting: Setting) -> list[Summary]:
    """Every summary of a folder, by method and seed. Raises SummaryError when one is of another setting, saying which."""
    found = []
    for path in sorted(folder.glob("*.json")):
        summary = read_summary(path)
        if path.name != summary.name:
            raise SummaryError(f"{path}: holds {summary.method} with seed {summary.seed}; its name should be {summary.name}")
        differing = summary.setting.differences(setting)
        if differing:
            lines = "\n".join(f"  {line}" for line in differing)
            raise SummaryError(f"{path} is of a run with another configuration or base model:\n{lines}")
        found.append(summary)
    order = list(Method)
    return sorted(found, key=lambda summary: (order.index(summary.method), summary.seed))


def by_method(summaries: Sequence[Summary]) -> dict[Method, dict[int, Summary]]:
    """Method -> seed -> run, in the given order."""
    table: dict[Method, dict[int, Summary]] = {}
    for summary in summaries:
        table.setdefault(summary.method, {})[summary.seed] = summary
    return table


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
