"""Makes a run's folder, or makes sure that it is the same run."""

from pathlib import Path

import yaml

from rdiverse.config import RunConfig, differing_fields, dump_config
from rdiverse.runs.events import Event, EventLog
from rdiverse.runs.files import written_aside
from rdiverse.runs.folder import RunFolder
from rdiverse.runs.weights import resolve_resource
from rdiverse_pipelines.context import RunContext

# Where a run lives and how one machine serves it change nothing that it computes.
IRRELEVANT = frozenset({"workspace", "run_id", "local", "keep_iterations"})


class OtherConfigurationError(ValueError):
    """The folder holds a run of another configuration; the text names the fields that differ."""


def prepare(config: RunConfig) -> RunContext:
    """Make the run's folder with its resolved configuration, or check that a folder already there is of the same run.

    Raises OtherConfigurationError, and CheckpointError for a base model that is not one.
    """
    folder = RunFolder.of(config.workspace, config.resolved_run_id)
    if folder.config.is_file():
        check_same(folder, config)
    else:
        with written_aside(folder.config) as aside:
            aside.write_text(dump_config(config), encoding="utf-8")
    for path in (folder.logs, folder.memory):
        path.mkdir(parents=True, exist_ok=True)
    context = RunContext(folder, config)
    context.record_base(resolve_model(config.model))
    return context


def begin_session(folder: RunFolder) -> None:
    """Mark that a command begins to work on the run; wall time is counted from such marks."""
    EventLog(folder.events).write(Event("run", 0, "session"))


def check_same(folder: RunFolder, config: RunConfig) -> None:
    """Raise OtherConfigurationError when the folder's configuration would compute something else."""
    before = yaml.safe_load(folder.config.read_text(encoding="utf-8"))
    now = yaml.safe_load(dump_config(config))
    differing = [line for line in differing_fields(before, now) if line.split(":")[0].split(".")[0] not in IRRELEVANT]
    if differing:
        raise OtherConfigurationError(
            f"{folder.root} holds a run with another configuration:\n"
            + "\n".join(f"  {line}" for line in differing)
            + "\nChoose another --run-id, or the old configuration."
        )


def resolve_model(name: str) -> Path:
    """The local directory of a model: a directory, pkg:<package>/<path>, or a hub id (fetched into the hub's cache)."""
    path = Path(resolve_resource(name))
    if path.exists() or name.startswith((".", "/", "~")):
        return path
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(name))


def prepare_from_text(config: str) -> str:
    """Prepare the run that a YAML text configures. Returns the run's folder."""
    return str(prepare(RunConfig.model_validate(yaml.safe_load(config))).folder.root)
