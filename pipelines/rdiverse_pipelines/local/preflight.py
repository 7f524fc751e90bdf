"""Looks at everything that a run will need before anything starts."""

import os
from collections.abc import Callable, Iterator
from functools import partial

from rdiverse.config import ConfigError, RunConfig
from rdiverse.evaluation import load_benchmark
from rdiverse.lm.folders import model_folder
from rdiverse.lm.weights import validate
from rdiverse.runs.folder import RunFolder
from rdiverse.runs.manifest import StepError
from rdiverse.runs.ports import free_ports
from rdiverse.selfplay.methods import Method
from rdiverse_pipelines.context import load_oracle
from rdiverse_pipelines.local.servers import PORTS
from rdiverse_pipelines.steps.prepare import check_same

ENCODER = "RDIVERSE_ENCODER_ADDRESS"


def check(config: RunConfig, *, make_folder: bool = True) -> None:
    """Raise ConfigError, a line a fault, when the run could not work as configured."""
    faults = []
    if not config.evaluation.benchmarks and config.method is Method.BASE:
        faults.append("evaluation.benchmarks: must name one: method base trains nothing, so that nothing would be measured")
    if config.encoder.kind == "model" and not os.environ.get(ENCODER):
        faults.append(
            f"encoder.kind = 'model': {ENCODER} must name a server that embeds, as `rdiverse serve encoder` starts it"
        )
    for said, look in _looks(config):
        try:
            look()
        except (OSError, ValueError, StepError) as error:
            faults.append(f"{said}{error}")
    # Last, and only for a run that may begin: it makes the folder.
    if make_folder and not faults and (fault := _workspace(config)):
        faults.append(fault)
    if faults:
        raise ConfigError("\n".join(faults))


def _workspace(config: RunConfig) -> str | None:
    folder = RunFolder.of(config.workspace, config.resolved_run_id).root
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return f"workspace = '{config.workspace}': cannot make {folder}: {error.strerror}"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"workspace = '{config.workspace}': {folder} is not writable"
    return None


def _looks(config: RunConfig) -> Iterator[tuple[str, Callable[[], object]]]:
    """What raises when something is not as it should be, and what is said before that."""
    for field, name in (("model", config.model), ("coder.model", config.coder.model)):
        yield f"{field} = {name!r}: ", partial(_checkpoint, name)
    yield "", partial(load_oracle, config.oracle)
    for index, benchmark in enumerate(config.evaluation.benchmarks):
        yield f"evaluation.benchmarks.{index}.path = {benchmark.path!r}: ", partial(load_benchmark, benchmark)
    yield "", partial(free_ports, PORTS, config.local.port_range)
    folder = RunFolder.of(config.workspace, config.resolved_run_id)
    if folder.config.is_file():
        yield "", partial(check_same, folder, config)


def _checkpoint(model: str) -> str:
    return validate(model_folder(model))
