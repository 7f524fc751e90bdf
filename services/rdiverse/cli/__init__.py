"""The `rdiverse` command. Imports stand inside the commands: asking for help must not load a tensor library."""

from importlib.metadata import version
from typing import Annotated

import typer

from rdiverse.cli import comparing, running
from rdiverse.cli.examples import add_examples
from rdiverse.cli.memory import memory
from rdiverse.cli.nano import nano
from rdiverse.cli.pipeline import pipeline
from rdiverse.cli.runs import runs

app = typer.Typer(
    no_args_is_help=True, pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]}
)
for command in (running.run, running.serve, running.train, running.evaluate, comparing.compare, running.report, runs):
    app.command()(command)
app.add_typer(memory, name="memory")
app.add_typer(nano, name="nano")
app.add_typer(pipeline, name="pipeline")
add_examples(app)


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"rdiverse {version('rdiverse')}")
        raise typer.Exit


@app.callback()
def root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    """Self-play training of LLM reasoners with a memory of past questions and skill-aware diversity."""


def main() -> None:
    """Run the command line."""
    app()
