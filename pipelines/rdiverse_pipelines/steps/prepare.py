"""Makes a run's folder, or makes sure that it is the same run."""

import shutil
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from rdiverse.config import ConfigError, RunConfig, differing_fields, dump_config
from rdiverse.config.cluster import load_cluster
from rdiverse.lm.folders import model_folder
from rdiverse.lm.weights import validate
from rdiverse.runs.events import Event, EventLog
from rdiverse.runs.files import written_aside
from rdiverse.runs.folder import RunFolder
from rdiverse_pipelines.context import RunContext
from rdiverse_pipelines.iterations import pipeline_iterations
from rdiverse_pipelines.target import cluster_file

# Where a run lives and how one machine serves it change nothing that it computes.
IRRELEVANT = frozenset({"workspace", "run_id", "local", "keep_iterations"})


class OtherConfigurationError(ValueError):
    """The folder holds a run of another configuration; the text names the fields that differ."""


def prepare(config: RunConfig, model_home: Path | None = None) -> RunContext:
    """Make the run's folder with its resolved configuration, or check that a folder already there is of the same run.

    `model_home`: folder to bring the base model to, where other machines cannot read it in its place.
    Raises OtherConfigurationError, and CheckpointError for a base model that is not one.
    """
    folder = RunFolder.of(config.workspace, config.resolved_run_id)
    kept = dump_config(config)
    if folder.config.is_file():
        check_same(folder, config)
        # What may differ stays as it was, but for the iterations: a run may go on for more of them.
        kept = yaml.safe_dump(_read(folder) | {"iterations": config.iterations}, sort_keys=False, allow_unicode=True)
    with written_aside(folder.config) as aside:
        aside.write_text(kept, encoding="utf-8")
    for path in (folder.logs, folder.memory):
        path.mkdir(parents=True, exist_ok=True)
    context = RunContext(folder, config)
    base = model_folder(config.model, model_home)
    context.record_base(brought_to(base, model_home) if model_home else base)
    return context


def begin_session(folder: RunFolder) -> None:
    """Mark that a command begins to work on the run; wall time is counted from such marks."""
    EventLog(folder.events).write(Event("run", 0, "session"))


def check_same(folder: RunFolder, config: RunConfig) -> None:
    """Raise OtherConfigurationError when the folder's configuration would compute something else, or fewer iterations."""
    before = _read(folder)
    now = yaml.safe_load(dump_config(config))
    if before.get("iterations", 0) < now["iterations"]:
        before["iterations"] = now["iterations"]
    differing = [line for line in differing_fields(before, now) if line.split(":")[0].split(".")[0] not in IRRELEVANT]
    if differing:
        raise OtherConfigurationError(
            f"{folder.root} holds a run with another configuration:\n"
            + "\n".join(f"  {line}" for line in differing)
            + "\nChoose another --run-id, or the old configuration."
        )


def _read(folder: RunFolder) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(folder.config.read_text(encoding="utf-8"))
    return found


def brought_to(model: Path, home: Path) -> Path:
    """A model's directory below `home`'s parent: where it is, or a copy in `home` under its version."""
    if model.resolve().is_relative_to(home.parent.resolve()):
        return model
    copy = home / validate(model)
    if not copy.is_dir():
        aside = home / f".{copy.name}.tmp"
        shutil.rmtree(aside, ignore_errors=True)
        shutil.copytree(model, aside)
        aside.rename(copy)
    return copy


def prepare_from_text(text: str, iterations: int) -> str:
    """Prepare the run that a YAML text configures, by a pipeline of so many iterations. Returns the run's folder.

    On a cluster the run lives on the shared volume, whatever the text says. Raises ConfigError, and as `prepare` does.
    """
    try:
        config = RunConfig.model_validate(yaml.safe_load(text))
    except (ValidationError, yaml.YAMLError) as error:
        raise ConfigError(f"config: {error}") from error
    if pipeline_iterations(config) != iterations:
        raise ConfigError(
            f"the configuration asks for {pipeline_iterations(config)} iterations, the pipeline was compiled for {iterations}"
        )
    settings = cluster_file()
    if settings is None:
        return str(prepare(config).folder.root)
    from rdiverse_pipelines.cluster.owner import take

    workspace = load_cluster(settings).workspace
    context = prepare(config.model_copy(update={"workspace": workspace}), model_home=workspace / "models")
    take(context.folder)
    begin_session(context.folder)
    return str(context.folder.root)
