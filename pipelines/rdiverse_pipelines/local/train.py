"""`rdiverse train`: one phase by itself, outside a run."""

from pathlib import Path

from rdiverse.config import ConfigError, RunConfig, dump_config
from rdiverse.lm.folders import model_folder
from rdiverse.lm.weights import CheckpointError, validate
from rdiverse.runs.files import written_aside
from rdiverse.selfplay.roles import Role
from rdiverse.selfplay.seeds import derive_seed
from rdiverse.selfplay.steps import TRAINING
from rdiverse.training.launch import Phase, launcher_from_environment, read_result


def train_phase(
    config: RunConfig, role: Role, output: Path, model: Path | None, dataset: Path | None, memory: str, iteration: int
) -> str:
    """Train one phase and publish its weights to `output`; logs and metrics stand beside it. Returns the version.

    Raises ConfigError for what is wrong before training starts, TrainingFailed for what goes wrong in it.
    """
    if (role is Role.SOLVER) != (dataset is not None):
        raise ConfigError("the Solver is trained on --dataset, the Challenger on none")
    if dataset is not None and not dataset.is_file():
        raise ConfigError(f"--dataset {dataset}: there is no such file")
    try:
        start = model or model_folder(config.model)
        validate(start)
    except CheckpointError as error:
        raise ConfigError(f"model = {str(model or config.model)!r}: {error}") from error
    beside = output.with_name(f"{output.name}.training")
    with written_aside(beside / "config.yaml") as aside:
        aside.write_text(dump_config(config), encoding="utf-8")
    phase = Phase(
        role=role,
        iteration=iteration,
        config_path=beside / "config.yaml",
        model=start,
        output=output,
        resume_dir=beside / "resume",
        log_path=beside / "train.log",
        metrics_path=beside / "metrics.jsonl",
        events_path=beside / "events.jsonl",
        seed=derive_seed(config.seed, TRAINING[role], iteration),
        run=memory,
        dataset=dataset,
    )
    launcher_from_environment().run(phase)
    return read_result(phase.result_path).version
