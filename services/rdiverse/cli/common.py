"""What every command shares: options, exit codes, and errors in words."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from rdiverse.config import RunConfig

WRONG_INPUT = 2
FAILED = 1
INTERRUPTED = 130

ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="YAML file of a run's configuration.")]
Overrides = Annotated[list[str] | None, typer.Argument(help="Fields to override, as in solver.samples=10.", show_default=False)]


def load(command: str, config: Path, overrides: list[str] | None, **values: object) -> "RunConfig":
    """Read a configuration for a command. Raises ConfigError, also for an override that the command does not read."""
    from rdiverse.config import load_config
    from rdiverse.config.overrides import check_overrides

    check_overrides(command, overrides or ())
    return load_config(config, overrides or (), **values)


@contextmanager
def wrong_input() -> Iterator[None]:
    """Turn a wrong configuration into one readable error and exit code 2."""
    from rdiverse.config import ConfigError
    from rdiverse.logs import LogSettingError

    try:
        yield
    except (ConfigError, LogSettingError) as error:
        fail(str(error), WRONG_INPUT)


def fail(message: str, code: int) -> NoReturn:
    """Print an error and exit."""
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(code)


def interrupt(_signum: int, _frame: object) -> NoReturn:
    """Handle SIGTERM as Ctrl-C: a command that is terminated cleans up."""
    raise KeyboardInterrupt
