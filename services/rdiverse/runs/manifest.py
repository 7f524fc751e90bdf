"""Steps that are done once: what each read and wrote is on record, so that running again redoes nothing and trusts nothing."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rdiverse.runs.events import Event, EventLog
from rdiverse.runs.files import file_digest, write_json
from rdiverse.runs.folder import RunFolder


class StepError(RuntimeError):
    """A step cannot go on; the text says what is wrong, where, and what to do."""


@dataclass(frozen=True)
class Outcome:
    """What a step's body hands back."""

    outputs: tuple[Path, ...] = ()
    """Files that it wrote, whole."""
    results: Mapping[str, Any] = field(default_factory=dict)
    """Figures and versions, JSON-serialisable."""


@dataclass(frozen=True)
class StepRecord:
    """A finished step, as its manifest has it."""

    step: str
    iteration: int
    inputs: dict[str, str]
    """Name -> digest or version of what it read."""
    outputs: dict[str, str]
    """Path within the run's folder -> SHA-256."""
    results: dict[str, Any]
    seconds: float

    @property
    def digest(self) -> str:
        """One word for everything the step wrote; what the next step depends on."""
        return next(iter(self.outputs.values()), str(self.results.get("weights", "")))


def read_record(run: RunFolder, step: str, iteration: int) -> StepRecord | None:
    """The record of a finished step; None when it has not finished."""
    path = run.manifest(iteration, step)
    if not path.is_file():
        return None
    try:
        return StepRecord(**json.loads(path.read_text(encoding="utf-8")))
    except (json.JSONDecodeError, TypeError) as error:
        raise StepError(f"{path}: is not a step's manifest; delete it to have the step redone") from error


def do_step(run: RunFolder, step: str, iteration: int, inputs: Mapping[str, str], body: Callable[[], Outcome]) -> StepRecord:
    """Do a step unless it is done.

    A finished step is skipped when its inputs are the same and its outputs are what it wrote. Raises StepError, naming
    the file, when they are not: such a run has lost data, and going on would train on something else.
    """
    log = EventLog(run.events)
    record = read_record(run, step, iteration)
    if record is not None:
        _check(run, record, dict(inputs))
        log.write(Event(step, iteration, "skip"))
        return record
    log.write(Event(step, iteration, "start"))
    began = time.monotonic()
    outcome = body()
    outputs = {path.relative_to(run.root).as_posix(): file_digest(path) for path in outcome.outputs}
    record = StepRecord(step, iteration, dict(inputs), outputs, dict(outcome.results), time.monotonic() - began)
    write_json(run.manifest(iteration, step), asdict(record))
    log.write(Event(step, iteration, "end", message=f"{record.seconds:.1f} s"))
    return record


def check_outputs(run: RunFolder, record: StepRecord) -> None:
    """Raise StepError, naming the file, when an output of a finished step is missing or altered."""
    for name, digest in record.outputs.items():
        path = run.root / name
        remedy = f"Restore it, or delete {run.manifest(record.iteration, record.step)} to have the step redone"
        if not path.is_file():
            raise StepError(f"{path}: is missing, although step {record.step} wrote it. {remedy}")
        if file_digest(path) != digest:
            raise StepError(f"{path}: is not what step {record.step} wrote (truncated or altered). {remedy}")


def _check(run: RunFolder, record: StepRecord, inputs: dict[str, str]) -> None:
    check_outputs(run, record)
    changed = sorted(name for name in {*record.inputs, *inputs} if record.inputs.get(name) != inputs.get(name))
    if changed:
        raise StepError(
            f"step {record.step} of iteration {record.iteration} was done from other inputs ({', '.join(changed)}). Delete"
            f" {run.manifest(record.iteration, record.step)} to have it redone"
        )
