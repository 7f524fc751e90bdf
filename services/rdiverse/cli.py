"""The `rdiverse` command. Imports stand inside the commands: asking for help must not load a tensor library."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from rdiverse.config import RunConfig

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

        serve_model(service.value, resolved, listen, metrics_port, weights)


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
    sys.exit(main())
