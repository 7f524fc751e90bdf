"""`rdiverse pipeline`: the Kubeflow pipeline."""

from pathlib import Path
from typing import Annotated

import typer

pipeline = typer.Typer(no_args_is_help=True, help="The Kubeflow pipeline.")


@pipeline.callback()
def root() -> None:
    """The Kubeflow pipeline."""


@pipeline.command("compile")
def compile_pipeline(
    output: Annotated[Path, typer.Option(help="YAML file to write.")],
    iterations: Annotated[int, typer.Option(help="Iterations of self-play.", min=0, max=1000)] = 5,
) -> None:
    """Compile the pipeline to Kubeflow's YAML."""
    from kfp import compiler

    from rdiverse_pipelines.dag import build_pipeline

    compiler.Compiler().compile(build_pipeline(iterations), str(output))
