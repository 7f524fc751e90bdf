"""What a finished phase says about itself."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from rdiverse.lm.weights import MANIFEST, weights_version
from rdiverse.runs.files import write_json
from rdiverse.training.launch.phase import Phase


@dataclass(frozen=True)
class PhaseResult:
    """The figures of a finished phase. Means are over all rollouts of a step."""

    version: str
    """Version of the published weights."""
    steps: int
    """Generation batches trained on."""
    seconds: dict[str, float]
    """startup (launch to the first step), rollout, reward, update, save. Of a resumed phase: every attempt's steps that
    count, and the start-up of the last attempt."""
    reward_terms: list[dict[str, float]]
    """A step's mean reward and its terms: uncertainty, p_rep, p_map of the Challenger, accuracy, boxed of the Solver."""
    malformed: float
    """Share of the Challenger's completions without question or boxed answer; of the Solver's without boxed answer."""
    resumed_steps: int
    """Steps that an earlier attempt had made."""

    def save(self, path: Path) -> None:
        """Write the result, whole or not at all."""
        write_json(path, asdict(self))


def read_result(path: Path) -> PhaseResult:
    """Read the result that a phase left at `Phase.result_path`. Raises OSError or ValueError."""
    try:
        return PhaseResult(**json.loads(path.read_text(encoding="utf-8")))
    except TypeError as error:
        raise ValueError(f"{path}: is not the result of a training phase") from error


def finished(phase: Phase) -> PhaseResult | None:
    """The result of a phase whose weights are published and are those that the result names, else None."""
    if not (phase.output / MANIFEST).is_file() or not phase.result_path.is_file():
        return None
    result = read_result(phase.result_path)
    return result if result.version == weights_version(phase.output) else None
