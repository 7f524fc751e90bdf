"""`rdiverse runs`: what stands in a workspace."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from rdiverse.cli.common import WRONG_INPUT, fail, wrong_input


def runs(
    run: Annotated[str | None, typer.Argument(help="The run; without one all are listed.")] = None,
    workspace: Annotated[Path, typer.Option(help="Folder of all runs.")] = Path("workspace"),
    as_json: Annotated[bool, typer.Option("--json", help="As JSON: one object, or a list of them.")] = False,
) -> None:
    """List the runs of a workspace, or show one: state, iteration, phase, accuracy."""
    from rdiverse_pipelines.local.runs import runs as found_runs

    with wrong_input():
        found = [each for each in found_runs(workspace) if run in (None, each.run)]
    if run is not None and not found:
        fail(f"{workspace / 'runs' / run}: there is no such run", WRONG_INPUT)
    if as_json:
        data = [asdict(each) for each in found]
        typer.echo(json.dumps(data if run is None else data[0], indent=2))
        return
    for each in found:
        measured = f"{max(each.iteration, 0)}/{each.iterations}"
        accuracy = "–" if each.sampled is None else f"sampled {each.sampled:.1%}  greedy {each.greedy:.1%}"
        typer.echo(f"{each.run:<28} {each.state:<9} {measured:>7}  {each.phase:<17} {accuracy}")
    if run is not None:
        typer.echo(found[0].folder)
