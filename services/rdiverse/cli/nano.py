"""`rdiverse nano`: the embedded world of word problems."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from rdiverse.cli.common import FAILED, WRONG_INPUT, ConfigFile, Overrides, fail, load, wrong_input

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


@nano.command()
def controlled(
    config: ConfigFile,
    output: Annotated[Path, typer.Option(help="Folder of the test; the same folder goes on with it.")],
    overrides: Overrides = None,
    seeds: Annotated[int, typer.Option(help="How many seeds, from 0.", min=1, max=1000)] = 3,
    few: Annotated[int, typer.Option(help="How many skills the few are.", min=1, max=437)] = 6,
    questions: Annotated[int, typer.Option(help="Training questions of each Solver.", min=1, max=20_000)] = 640,
    steps: Annotated[int, typer.Option(help="Training steps of each Solver.", min=1, max=1000)] = 75,
    model: Annotated[str | None, typer.Option(help="The base model, in place of the configured one.")] = None,
) -> None:
    """Train Solvers on true answers, on many skills and on few, and compare their accuracy: does diversity matter here?"""
    from rdiverse.nano.controlled import FEW, MANY, accuracy, few_skills, lessons
    from rdiverse.training.launch import TrainingFailed
    from rdiverse_pipelines.comparison.controlled import Lessons
    from rdiverse_pipelines.comparison.controlled import controlled as run_controlled

    def tell(arm: str, seed: int, found: Mapping[str, float]) -> None:
        typer.echo(f"seed {seed}, {arm}: sampled {found['sampled']:.3f}, greedy {found['greedy']:.3f}", err=True)

    world = Lessons(
        arms=(MANY, FEW),
        rows=lambda arm, seed: lessons(arm, seed, few, questions),
        measure=lambda weights, seed: asdict(accuracy(weights, few_skills(seed, few), seed)),
        terms={"few_skills": few, "questions": questions},
    )
    with wrong_input():
        resolved = load("nano controlled", config, [*(overrides or ()), f"solver.training.steps={steps}"], model=model)
        try:
            found = run_controlled(resolved, output, seeds, world, tell)
        except TrainingFailed as error:
            fail(str(error), FAILED)
    for name, difference in found["many_minus_few"].items():
        interval = "" if difference["low"] is None else f" ({difference['low']:+.3f} to {difference['high']:+.3f})"
        typer.echo(f"many minus few, {name}: {difference['mean']:+.3f}{interval}")
    typer.echo(f"{output / 'controlled.json'}")
