"""The `rdiverse` command. Imports stand inside the commands: asking for help must not load a tensor library."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, cast

import typer

if TYPE_CHECKING:
    from rdiverse.config import RunConfig
    from rdiverse.inference.host import Role

WRONG_INPUT = 2
FAILED = 1
INTERRUPTED = 130

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
nano = typer.Typer(no_args_is_help=True, help="The embedded world of word problems.")
pipeline = typer.Typer(no_args_is_help=True, help="The Kubeflow pipeline.")
app.add_typer(nano, name="nano")
app.add_typer(pipeline, name="pipeline")

ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="YAML file of a run's configuration.")]
Overrides = Annotated[list[str] | None, typer.Argument(help="Fields to override, as in solver.samples=10.", show_default=False)]


class Service(StrEnum):
    """What `rdiverse serve` can be."""

    CHALLENGER = "challenger"
    SOLVER = "solver"
    CODER = "coder"
    ENCODER = "encoder"
    DIVERSITY = "diversity"


@app.callback()
def root() -> None:
    """Self-play training of LLM reasoners with a memory of past questions and skill-aware diversity."""


@app.command()
def run(
    config: ConfigFile,
    overrides: Overrides = None,
    method: Annotated[str | None, typer.Option(help="Which method's remedies are on.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of all the run's noise.")] = None,
    iterations: Annotated[int | None, typer.Option(help="Iterations of self-play.")] = None,
    run_id: Annotated[str | None, typer.Option(help="Name of the run; the same name goes on with the same run.")] = None,
    workspace: Annotated[Path | None, typer.Option(help="Folder of all runs.")] = None,
) -> None:
    """Train on this machine: starts the servers, goes through the pipeline, writes the report.

    The same command again goes on where it stopped.
    """
    from rdiverse.runs.lock import RunBusyError
    from rdiverse.runs.manifest import StepError
    from rdiverse_pipelines.local.run import RunFailedError, read_summary
    from rdiverse_pipelines.local.run import run as run_locally
    from rdiverse_pipelines.local.table import print_table

    with _wrong_input():
        resolved = _load(config, overrides, method=method, seed=seed, iterations=iterations, run_id=run_id, workspace=workspace)
        # A terminated run cleans up as an interrupted one does.
        signal.signal(signal.SIGTERM, _interrupt)
        try:
            folder = run_locally(resolved)
        except RunBusyError as error:
            _fail(str(error), WRONG_INPUT)
        except (RunFailedError, StepError) as error:
            _fail(f"{error}\nThe same command goes on from the last finished step.", FAILED)
        except KeyboardInterrupt:
            _fail("interrupted; the same command goes on from the last finished step", INTERRUPTED)
    print_table(read_summary(folder))
    typer.echo(f"report: {folder.report}")


@app.command()
def serve(
    service: Annotated[Service, typer.Argument(help="Which server to be.")],
    config: ConfigFile,
    overrides: Overrides = None,
    listen: Annotated[str, typer.Option(help="HOST:PORT of gRPC.")] = "127.0.0.1:9000",
    metrics_port: Annotated[int, typer.Option(help="Port of Prometheus metrics, on the same host.", min=1, max=65535)] = 9100,
    weights: Annotated[Path | None, typer.Option(help="Checkpoint to begin with, in place of the configured model.")] = None,
) -> None:
    """Serve a model's role or the diversity service until SIGTERM."""
    from rdiverse.runs.lifeline import watch_lifeline

    watch_lifeline()
    with _wrong_input():
        resolved = _load(config, overrides)
    if service is Service.DIVERSITY:
        from rdiverse.diversity.server import serve as serve_diversity

        serve_diversity(resolved, listen, metrics_port)
    else:
        from rdiverse.inference.server import serve as serve_model

        serve_model(cast("Role", service.value), resolved, listen, metrics_port, weights)


class Trained(StrEnum):
    """Which policy `rdiverse train` trains."""

    CHALLENGER = "challenger"
    SOLVER = "solver"


@app.command()
def train(
    role: Annotated[Trained, typer.Argument(help="Which policy to train.")],
    config: ConfigFile,
    output: Annotated[Path, typer.Option(help="New folder for the trained weights.")],
    overrides: Overrides = None,
    model: Annotated[Path | None, typer.Option(help="Weights to start from; default: the configured model.")] = None,
    dataset: Annotated[Path | None, typer.Option(help="Parquet with columns question and answer (Solver).")] = None,
    memory: Annotated[str, typer.Option(help="Run whose memory penalises the Challenger's questions.")] = "",
    iteration: Annotated[int, typer.Option(help="The memory is read before this iteration.", min=1)] = 1,
) -> None:
    """Train one policy for one phase under torchrun; the same command goes on with a phase that was cut short.

    The Challenger's reward asks the services at RDIVERSE_SOLVER_ADDRESS and RDIVERSE_DIVERSITY_ADDRESS.
    """
    from rdiverse.training.launch import TrainingFailed
    from rdiverse_pipelines.local.train import train_phase

    with _wrong_input():
        resolved = _load(config, overrides)
        try:
            version = train_phase(resolved, role.value, output, model, dataset, memory, iteration)
        except TrainingFailed as error:
            _fail(str(error), FAILED)
    typer.echo(f"weights {version} in {output}")


@app.command()
def evaluate(
    address: Annotated[str, typer.Option(help="HOST:PORT of a running Solver, as `rdiverse serve solver` starts it.")],
    output: Annotated[Path, typer.Option(help="Folder for answers and figures; the same folder goes on with them.")],
    benchmarks: Annotated[str, typer.Option(help="Known names, or name=<JSONL file>, separated by commas.")],
    samples: Annotated[int, typer.Option(help="Sampled answers per question (mean@k).", min=1, max=1024)] = 4,
    temperature: Annotated[float, typer.Option(help="Temperature of the sampled answers.", min=0, max=10)] = 1.0,
    max_tokens: Annotated[int, typer.Option(help="Longest answer.", min=1, max=65_536)] = 4096,
    seed: Annotated[int, typer.Option(help="Seed of the sampled answers.", min=0)] = 0,
    rzero: Annotated[bool, typer.Option("--rzero", help="Also score as R-Zero's scripts do, side by side.")] = False,
) -> None:
    """Measure a served model on held-out benchmarks, greedy and sampled, strictly scored."""
    from rdiverse.config import EvaluationConfig, SamplingConfig
    from rdiverse.evaluation import BenchmarkError
    from rdiverse.evaluation.served import evaluate_served, named_benchmarks
    from rdiverse.grpcio_kit.client import RpcFailure
    from rdiverse.runs.files import write_json
    from rdiverse.runs.weights import CheckpointError

    try:
        config = EvaluationConfig(
            benchmarks=named_benchmarks(benchmarks.split(",")),
            samples=samples,
            sampling=SamplingConfig(temperature=temperature, max_tokens=max_tokens),
        )
        evaluation = evaluate_served(address, config, output, seed=seed, rzero=rzero)
    except (BenchmarkError, CheckpointError) as error:
        _fail(str(error), WRONG_INPUT)
    except RpcFailure as error:
        _fail(f"{error}\nThe same command goes on with the answers that are there.", FAILED)
    write_json(output / "evaluation.json", evaluation.to_json())
    typer.echo(
        f"sampled {evaluation.accuracy_sampled:.4f}  greedy {evaluation.accuracy_greedy:.4f}  {output / 'evaluation.json'}"
    )


@app.command()
def report(folder: Annotated[Path, typer.Argument(help="A run's folder.")]) -> None:
    """Write a run's summary and report anew from what its steps left."""
    from rdiverse_pipelines.context import RunContext
    from rdiverse_pipelines.steps.report import report as write

    if not (folder / "config.yaml").is_file():
        _fail(f"{folder}: is not a run's folder: config.yaml is missing", WRONG_INPUT)
    context = RunContext.open(str(folder.resolve()))
    write(context)
    typer.echo(f"report: {context.folder.report}")


@nano.command()
def pretrain(
    out: Annotated[Path, typer.Option(help="New folder for the checkpoint.")],
    seed: Annotated[int, typer.Option(help="Seed of data and weights.", min=0)] = 0,
) -> None:
    """Pre-train the nano base model by the recipe that made the one that ships (some minutes on one core)."""
    from rdiverse.nano.pretrain import STEPS
    from rdiverse.nano.pretrain import pretrain as pretrain_model

    def tell(step: int, loss: float) -> None:
        if step % 100 == 0:
            typer.echo(f"step {step}/{STEPS}  loss {loss:.3f}", err=True)

    try:
        recipe = pretrain_model(out, seed, on_step=tell)
    except FileExistsError as error:
        _fail(str(error), WRONG_INPUT)
    typer.echo("  ".join(f"{name} {value}" for name, value in recipe["scores"].items() if isinstance(value, float)))


@pipeline.command("compile")
def compile_pipeline(
    output: Annotated[Path, typer.Option(help="YAML file to write.")],
    iterations: Annotated[int, typer.Option(help="Iterations of self-play.", min=0, max=1000)] = 5,
) -> None:
    """Compile the pipeline to Kubeflow's YAML."""
    from kfp import compiler

    from rdiverse_pipelines.dag import build_pipeline

    compiler.Compiler().compile(build_pipeline(iterations), str(output))


def _load(config: Path, overrides: list[str] | None, **values: object) -> "RunConfig":
    from rdiverse.config import load_config

    return load_config(config, overrides or (), **values)


@contextmanager
def _wrong_input() -> Iterator[None]:
    """Turn a wrong configuration into one readable error and exit code 2."""
    from rdiverse.config import ConfigError

    try:
        yield
    except ConfigError as error:
        _fail(str(error), WRONG_INPUT)


def _fail(message: str, code: int) -> NoReturn:
    for line in message.splitlines():
        typer.echo(f"error: {line}" if line == message.splitlines()[0] else line, err=True)
    raise typer.Exit(code)


def _interrupt(_signum: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
