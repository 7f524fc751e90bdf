"""Looks at everything that a run will need before anything starts."""

import os

from rdiverse.config import ConfigError, RunConfig
from rdiverse.evaluation import BenchmarkError, load_benchmark
from rdiverse.lm.folders import model_folder
from rdiverse.lm.weights import CheckpointError, validate
from rdiverse.runs.folder import RunFolder
from rdiverse.runs.manifest import StepError
from rdiverse.runs.ports import PortsExhaustedError, free_ports
from rdiverse.selfplay.methods import Method
from rdiverse_pipelines.context import load_oracle
from rdiverse_pipelines.local.servers import PORTS
from rdiverse_pipelines.steps.prepare import OtherConfigurationError, check_same

ENCODER = "RDIVERSE_ENCODER_ADDRESS"


def check(config: RunConfig) -> None:
    """Raise ConfigError, a line a fault, when the run could not work as configured."""
    looks = (_models, _oracle, _benchmarks, _encoder, _ports, _same_run)
    faults = [fault for look in looks if (fault := look(config))]
    # Last, and only for a run that may begin: it makes the folder.
    if not faults and (fault := _workspace(config)):
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


def _models(config: RunConfig) -> str | None:
    for field, name in (("model", config.model), ("coder.model", config.coder.model)):
        try:
            validate(model_folder(name))
        except (OSError, ValueError) as error:
            return f"{field} = {name!r}: {error}"
    return None


def _oracle(config: RunConfig) -> str | None:
    try:
        load_oracle(config.oracle)
    except StepError as error:
        return str(error)
    return None


def _encoder(config: RunConfig) -> str | None:
    if config.encoder.kind == "model" and not os.environ.get(ENCODER):
        return f"encoder.kind = 'model': {ENCODER} must name a server that embeds, as `rdiverse serve encoder` starts it"
    return None


def _benchmarks(config: RunConfig) -> str | None:
    if not config.evaluation.benchmarks and config.method is Method.BASE:
        return "evaluation.benchmarks: must name one: method base trains nothing, so that nothing would be measured"
    for index, benchmark in enumerate(config.evaluation.benchmarks):
        try:
            load_benchmark(benchmark)
        except (BenchmarkError, CheckpointError, OSError) as error:
            return f"evaluation.benchmarks.{index}.path = {benchmark.path!r}: {error}"
    return None


def _ports(config: RunConfig) -> str | None:
    try:
        free_ports(PORTS, config.local.port_range)
    except PortsExhaustedError as error:
        return str(error)
    return None


def _same_run(config: RunConfig) -> str | None:
    folder = RunFolder.of(config.workspace, config.resolved_run_id)
    if folder.config.is_file():
        try:
            check_same(folder, config)
        except OtherConfigurationError as error:
            return str(error)
    return None
