"""The commands that run something: a whole run, one server, one training phase, one evaluation, one report."""

import signal
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rdiverse.cli.checks import check_answers, check_files, check_installed, check_listen, check_named
from rdiverse.cli.common import FAILED, INTERRUPTED, WRONG_INPUT, ConfigFile, Overrides, fail, interrupt, load, wrong_input
from rdiverse.selfplay.methods import Method
from rdiverse.selfplay.roles import Role


class Service(StrEnum):
    """What `rdiverse serve` can be."""

    CHALLENGER = Role.CHALLENGER
    SOLVER = Role.SOLVER
    CODER = Role.CODER
    ENCODER = Role.ENCODER
    DIVERSITY = "diversity"


class TrainedRole(StrEnum):
    """What `rdiverse train` trains."""

    CHALLENGER = Role.CHALLENGER
    SOLVER = Role.SOLVER


def run(
    config: ConfigFile,
    overrides: Overrides = None,
    method: Annotated[
        Method | None,
        typer.Option(metavar="METHOD", help=f"Which remedies are on: {', '.join(Method)}; default: the file's."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of all the run's noise; default: the file's.")] = None,
    iterations: Annotated[int | None, typer.Option(help="Iterations of self-play; default: the file's.")] = None,
    run_id: Annotated[
        str | None, typer.Option(help="Name of the run, which the same name goes on with; default: <method>-seed<seed>.")
    ] = None,
    workspace: Annotated[Path | None, typer.Option(help="Folder of all runs; default: the file's.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only check, and print the whole configuration as it would be used.")
    ] = False,
) -> None:
    """Train on this machine: starts the servers, goes through the pipeline, writes the report.

    The same command again goes on where it stopped.
    """
    from rdiverse.config import dump_config
    from rdiverse.runs.lock import RunBusyError
    from rdiverse.runs.manifest import StepError
    from rdiverse_pipelines.local.preflight import check
    from rdiverse_pipelines.local.run import RunFailedError, read_summary
    from rdiverse_pipelines.local.run import run as run_locally
    from rdiverse_pipelines.local.table import print_table

    with wrong_input():
        values = {"method": method, "seed": seed, "iterations": iterations, "run_id": run_id, "workspace": workspace}
        resolved = load("run", config, overrides, **values)
        check_installed(resolved)
        if dry_run:
            check(resolved, make_folder=False)
            typer.echo(dump_config(resolved), nl=False)
            return
        # A terminated run cleans up as an interrupted one does.
        signal.signal(signal.SIGTERM, interrupt)
        try:
            folder = run_locally(resolved)
        except RunBusyError as error:
            fail(str(error), WRONG_INPUT)
        except (RunFailedError, StepError) as error:
            fail(f"{error}\nThe same command goes on from the last finished step.", FAILED)
        except KeyboardInterrupt:
            fail("interrupted; the same command goes on from the last finished step", INTERRUPTED)
    print_table(read_summary(folder))
    typer.echo(f"report: {folder.report}")


def serve(
    service: Annotated[Service, typer.Argument(help="Which server to be.")],
    config: ConfigFile,
    overrides: Overrides = None,
    listen: Annotated[str, typer.Option(help="HOST:PORT of gRPC.")] = "127.0.0.1:9000",
    metrics_port: Annotated[int, typer.Option(help="Port of Prometheus metrics, on the same host.", min=1, max=65535)] = 9100,
    weights: Annotated[
        Path | None,
        typer.Option(help="Checkpoint to begin with, in place of the configured model.", exists=True, file_okay=False),
    ] = None,
) -> None:
    """Serve a model's role or the diversity service until SIGTERM."""
    from rdiverse import logs
    from rdiverse.runs.lifeline import watch_lifeline

    watch_lifeline()
    with wrong_input():
        resolved = load(f"serve {service}", config, overrides)
        # Coders, encoders and memories may serve several runs.
        logs.configure(resolved.resolved_run_id if service in (Service.CHALLENGER, Service.SOLVER) else "")
    check_listen(listen, metrics_port)
    check_files()
    if service is Service.DIVERSITY:
        from rdiverse.diversity.memory.ledger import IncompatibleError
        from rdiverse.diversity.memory.protocol import NotTheWriterError
        from rdiverse.diversity.server.process import SettingError
        from rdiverse.diversity.server.process import serve as serve_diversity
        from rdiverse.diversity.server.writer import WriterBusyError

        try:
            serve_diversity(resolved, listen, metrics_port)
        except (SettingError, WriterBusyError, IncompatibleError) as error:
            fail(str(error), WRONG_INPUT)
        except NotTheWriterError as error:
            fail(str(error), FAILED)
    else:
        check_installed(resolved)
        from rdiverse.inference.server import serve as serve_model
        from rdiverse.lm.weights import CheckpointError

        try:
            serve_model(Role(service), resolved, listen, metrics_port, weights)
        except CheckpointError as error:
            fail(str(error), WRONG_INPUT)


def train(
    role: Annotated[TrainedRole, typer.Argument(help="Which policy to train.")],
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

    with wrong_input():
        resolved = load(f"train {role}", config, overrides)
        check_installed(resolved)
        check_files()
        if role is TrainedRole.CHALLENGER:
            check_named("RDIVERSE_SOLVER_ADDRESS", "RDIVERSE_DIVERSITY_ADDRESS")
        try:
            version = train_phase(resolved, Role(role), output, model, dataset, memory, iteration)
        except TrainingFailed as error:
            fail(str(error), FAILED)
    typer.echo(f"weights {version} in {output}")


def evaluate(
    address: Annotated[str, typer.Option(help="HOST:PORT of a running Solver, as `rdiverse serve solver` starts it.")],
    output: Annotated[Path, typer.Option(help="Folder for answers and figures; the same folder goes on with them.")],
    benchmarks: Annotated[str, typer.Option(help="Known names, or name=<JSONL file>, separated by commas.")],
    samples: Annotated[int, typer.Option(help="Sampled answers per question (mean@k).", min=1, max=1024)] = 4,
    temperature: Annotated[float, typer.Option(help="Temperature of the sampled answers.", min=0, max=10)] = 1.0,
    max_tokens: Annotated[int, typer.Option(help="Longest answer.", min=1, max=65_536)] = 4096,
    seed: Annotated[int, typer.Option(help="Seed of the sampled answers.", min=0)] = 0,
    rzero: Annotated[bool, typer.Option("--rzero", help="Also score as R-Zero's scripts do, side by side.")] = False,
    judge: Annotated[str | None, typer.Option(help="HOST:PORT of a language model whose opinion is reported beside.")] = None,
) -> None:
    """Measure a served model on held-out benchmarks, greedy and sampled, strictly scored."""
    from rich.console import Console
    from rich.progress import Progress

    from rdiverse.config import EvaluationConfig, SamplingConfig
    from rdiverse.evaluation import BenchmarkError
    from rdiverse.evaluation.ask import IncompleteError, WeightsChangedError
    from rdiverse.evaluation.served import evaluate_served, named_benchmarks
    from rdiverse.evaluation.store import StoreError
    from rdiverse.grpcio_kit.client import RpcFailure
    from rdiverse.lm.weights import CheckpointError

    try:
        config = EvaluationConfig(
            benchmarks=named_benchmarks(benchmarks.split(",")),
            samples=samples,
            sampling=SamplingConfig(temperature=temperature, max_tokens=max_tokens),
        )
        check_files()
        check_answers(address)
        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("questions", total=None)
            evaluation = evaluate_served(
                address,
                config,
                output,
                seed=seed,
                rzero=rzero,
                judge_address=judge,
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            )
    except (BenchmarkError, CheckpointError, StoreError) as error:
        fail(str(error), WRONG_INPUT)
    except (RpcFailure, WeightsChangedError, IncompleteError) as error:
        fail(f"{error}\nThe same command goes on with the answers that are there.", FAILED)
    typer.echo(
        f"sampled {evaluation.accuracy_sampled:.4f}  greedy {evaluation.accuracy_greedy:.4f}  {output / 'evaluation.json'}"
    )


def report(
    folder: Annotated[Path, typer.Argument(help="A run's folder.")],
    watch: Annotated[
        bool, typer.Option("--watch", help="While the run is at work: write the page anew as it gets further, until Ctrl-C.")
    ] = False,
) -> None:
    """Write a run's summary and report anew from what its steps left."""
    from rdiverse_pipelines.context import RunContext
    from rdiverse_pipelines.steps import report as step

    if not (folder / "config.yaml").is_file():
        fail(f"{folder}: is not a run's folder: config.yaml is missing", WRONG_INPUT)
    context = RunContext.open(str(folder.resolve()))
    if watch:
        typer.echo(f"report: {context.folder.report}")
        with suppress(KeyboardInterrupt):
            step.watch(context, typer.echo)
        return
    step.write_anew(context)
    typer.echo(f"report: {context.folder.report}")
