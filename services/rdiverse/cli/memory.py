"""`rdiverse memory`: asks a diversity service what a run remembers."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from rdiverse.cli.checks import check_answers, check_files
from rdiverse.cli.common import FAILED, fail

memory = typer.Typer(no_args_is_help=True, help="What a run remembers, asked of a running diversity service.")

Address = Annotated[str, typer.Option(help="HOST:PORT of the diversity service.", envvar="RDIVERSE_DIVERSITY_ADDRESS")]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]
Run = Annotated[str, typer.Argument(help="The run.")]


@memory.command()
def score(
    run: Run,
    questions: Annotated[list[str], typer.Argument(help="Questions, one batch.")],
    address: Address,
    as_json: AsJson = False,
) -> None:
    """Show the penalties of some questions, as one batch."""
    from rdiverse.diversity import commands

    with _answers(address):
        commands.score(address, run, questions, as_json=as_json)


@memory.command()
def neighbors(
    run: Run,
    question: Annotated[str, typer.Argument(help="The question.")],
    address: Address,
    count: Annotated[int, typer.Option(help="How many.", min=1, max=100)] = 5,
    as_json: AsJson = False,
) -> None:
    """Show the remembered questions nearest to one: why is it called a repeat?"""
    from rdiverse.diversity import commands

    with _answers(address):
        commands.neighbors(address, run, question, count, as_json=as_json)


@memory.command()
def stats(
    address: Address,
    run: Annotated[str | None, typer.Argument(help="The run; without one all are listed.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a run's memory holds, or which runs have one."""
    from rdiverse.diversity import commands

    with _answers(address):
        commands.stats(address, run, as_json=as_json)


@memory.command()
def export(run: Run, path: Annotated[Path, typer.Argument(help="JSONL file to write.")], address: Address) -> None:
    """Write everything that a run remembers to JSON lines."""
    from rdiverse.diversity import commands

    with _answers(address):
        typer.echo(f"{commands.export(address, run, path)} items in {path}")


@memory.command()
def restore(
    run: Run,
    path: Annotated[Path, typer.Argument(help="JSONL file that `export` wrote.", exists=True, dir_okay=False)],
    address: Address,
    text: Annotated[bool, typer.Option("--text", help="A memory of the questions' words: a run's without SAM.")] = False,
) -> None:
    """Bring an exported memory back, into a run that remembers nothing or the same."""
    from rdiverse.diversity import commands

    with _answers(address):
        typer.echo(f"{commands.restore(address, run, path, 'text' if text else 'program')} items in run {run}")


@memory.command()
def rollback(
    run: Run,
    to_iteration: Annotated[int, typer.Argument(help="The last iteration to keep.", min=0)],
    address: Address,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Drop the iterations after the given one, for good."""
    from rdiverse.diversity import commands

    with _answers(address):
        if not yes:
            typer.confirm(f"Drop everything that {run} remembers of iterations after {to_iteration}?", abort=True, err=True)
        typer.echo(f"dropped iterations: {commands.rollback(address, run, to_iteration) or 'none'}")


@contextmanager
def _answers(address: str) -> Iterator[None]:
    """Turn a refusal or a silence of the service into one readable error, within seconds."""
    from rdiverse.diversity.commands import ExportTooLargeError, NotExportedError
    from rdiverse.grpcio_kit.client import RpcFailure

    check_files()
    check_answers(address)
    try:
        yield
    except (RpcFailure, ExportTooLargeError, NotExportedError) as error:
        fail(str(error), FAILED)
