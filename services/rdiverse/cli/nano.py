"""`rdiverse nano`: the embedded world of word problems."""

from pathlib import Path
from typing import Annotated

import typer

from rdiverse.cli.common import WRONG_INPUT, fail

nano = typer.Typer(no_args_is_help=True, help="The embedded world of word problems.")


@nano.callback()
def root() -> None:
    """The embedded world of word problems."""


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
        fail(str(error), WRONG_INPUT)
    typer.echo("  ".join(f"{name} {value}" for name, value in recipe["scores"].items() if isinstance(value, float)))
