"""`rdiverse compare`: methods side by side."""

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rdiverse.cli.checks import check_installed
from rdiverse.cli.common import FAILED, INTERRUPTED, WRONG_INPUT, ConfigFile, Overrides, fail, interrupt, load, wrong_input

if TYPE_CHECKING:
    from rdiverse.selfplay.methods import Method


def compare(
    config: ConfigFile,
    output: Annotated[Path, typer.Option(help="Folder of the comparison; the same folder goes on with it.")],
    methods: Annotated[str, typer.Option(help="Methods, separated by commas.")],
    overrides: Overrides = None,
    seeds: Annotated[int, typer.Option(help="How many seeds each method has.", min=1, max=1000)] = 5,
    first_seed: Annotated[int, typer.Option(help="The first of them.", min=0)] = 0,
    iterations: Annotated[int | None, typer.Option(help="Iterations of self-play.")] = None,
    model: Annotated[str | None, typer.Option(help="The base model of all runs, in place of the configured one.")] = None,
    reference: Annotated[str, typer.Option(help="The method that the others are compared with.")] = "r-zero",
    jobs: Annotated[int, typer.Option(help="Runs side by side.", min=1, max=64)] = 1,
) -> None:
    """Train with several methods and seeds, base model and budget alike, and compare what came out.

    A run that has a summary in the folder is not done again. All summaries of the folder enter the tables.
    """
    from rdiverse.runs.lock import RunBusyError
    from rdiverse_pipelines.comparison.compared import NothingToCompareError
    from rdiverse_pipelines.comparison.run import ComparisonPlan
    from rdiverse_pipelines.comparison.run import compare as run_and_compare

    with wrong_input():
        plan = ComparisonPlan(
            config=load("compare", config, overrides, iterations=iterations, model=model),
            methods=[_method(name) for name in dict.fromkeys(methods.split(","))],
            seeds=range(first_seed, first_seed + seeds),
            reference=_method(reference),
            folder=output,
            jobs=jobs,
        )
        check_installed(plan.config)
        signal.signal(signal.SIGTERM, interrupt)
        try:
            found = run_and_compare(plan, lambda text: typer.echo(text, err=True))
        except RunBusyError as error:
            fail(str(error), WRONG_INPUT)
        except NothingToCompareError as error:
            fail(str(error), FAILED)
        except KeyboardInterrupt:
            fail("interrupted; the same command goes on with the runs", INTERRUPTED)
    typer.echo(f"{len(found.runs)} runs compared: {output / 'comparison.html'}")
    if found.missing:
        fail("\n".join(["runs that did not finish; the same command tries them again:", *found.missing]), FAILED)


def _method(name: str) -> "Method":
    from rdiverse.config import ConfigError
    from rdiverse.config.load import did_you_mean
    from rdiverse.selfplay.methods import Method

    try:
        return Method(name.strip())
    except ValueError as error:
        raise ConfigError(f"method {name.strip()!r}: must be one of {', '.join(Method)}{did_you_mean(name, Method)}") from error
