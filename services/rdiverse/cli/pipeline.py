"""`rdiverse pipeline`: the Kubeflow pipeline."""

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml

from rdiverse.cli.common import FAILED, WRONG_INPUT, ConfigFile, Overrides, fail, load, wrong_input

if TYPE_CHECKING:
    from rdiverse_pipelines.remote.endpoint import Endpoint

pipeline = typer.Typer(no_args_is_help=True, help="The Kubeflow pipeline.")

ImagePrefix = Annotated[str, typer.Option(help="Registry and path of the images you built, as in registry.example/team.")]
ImageTag = Annotated[str, typer.Option(help="Their tag; default: this version.")]
EndpointUrl = Annotated[
    str,
    typer.Option("--endpoint", envvar="KF_PIPELINES_ENDPOINT", help="URL of Kubeflow Pipelines, as in http://127.0.0.1:8888."),
]
TokenFile = Annotated[Path | None, typer.Option(help="File with a bearer token for Kubeflow Pipelines.")]
CaFile = Annotated[Path | None, typer.Option(help="Certificates by which its server is trusted.")]
Namespace = Annotated[str, typer.Option(help="Namespace of the release, in which the steps' pods run.")]


@pipeline.callback()
def root() -> None:
    """The Kubeflow pipeline."""


@pipeline.command("compile")
def compile_pipeline(
    output: Annotated[Path | None, typer.Option(help="YAML file to write; default: rdiverse-ITERATIONS.yaml, here.")] = None,
    iterations: Annotated[int, typer.Option(help="Iterations of self-play.", min=0, max=1000)] = 5,
    image_prefix: ImagePrefix = "",
    image_tag: ImageTag = "",
) -> None:
    """Compile the pipeline to Kubeflow's YAML. Without --image-prefix the image has no registry: nobody publishes one."""
    from rdiverse_pipelines.remote.package import compile_package

    written = output or Path(f"rdiverse-{iterations}.yaml")
    with wrong_input():
        compile_package(iterations, written, image_prefix, image_tag)
    typer.echo(f"pipeline of {iterations} iterations: {written}")


@pipeline.command()
def upload(
    package: Annotated[Path, typer.Argument(help="A compiled pipeline.")],
    endpoint: EndpointUrl,
    name: Annotated[str, typer.Option(help="Name in the UI; default: rdiverse-<iterations>.")] = "",
    namespace: Namespace = "kubeflow",
    token_file: TokenFile = None,
    ca_file: CaFile = None,
) -> None:
    """Put a compiled pipeline into the UI, where it is started with the same parameters as by `submit`."""
    from rdiverse_pipelines.remote import send
    from rdiverse_pipelines.remote.endpoint import EndpointError
    from rdiverse_pipelines.remote.package import package_iterations

    with wrong_input():
        called = name or f"rdiverse-{package_iterations(package)}"
    try:
        typer.echo(f"pipeline {called}: {send.upload(_endpoint(endpoint, token_file, ca_file), namespace, package, called)}")
    except EndpointError as error:
        fail(str(error), FAILED)


@pipeline.command()
def submit(
    config: ConfigFile,
    endpoint: EndpointUrl,
    overrides: Overrides = None,
    package: Annotated[Path | None, typer.Option(help="Compiled pipeline; default: compiled now, with --image-prefix.")] = None,
    image_prefix: ImagePrefix = "",
    image_tag: ImageTag = "",
    release: Annotated[str, typer.Option(help="Helm release that the run belongs to.")] = "rdiverse",
    workspace_claim: Annotated[str, typer.Option(help="PersistentVolumeClaim of runs; default: <release>-workspace.")] = "",
    client_secret: Annotated[str, typer.Option(help="Secret of the servers' clients; default: <release>-client.")] = "",
    namespace: Namespace = "kubeflow",
    experiment: Annotated[str, typer.Option(help="Experiment of Kubeflow Pipelines.")] = "rdiverse",
    node_selector: Annotated[str, typer.Option(help="Labels of nodes for the steps' pods, as in '{pool: cpu}'.")] = "{}",
    tolerations: Annotated[str, typer.Option(help="Tolerations of the steps' pods, a YAML list.")] = "[]",
    token_file: TokenFile = None,
    ca_file: CaFile = None,
) -> None:
    """Start a run on a cluster. The configuration and what the cluster has are checked before anything is sent.

    The same run id again goes on with the same run.
    """
    from rdiverse_pipelines.remote import installed, send
    from rdiverse_pipelines.remote.endpoint import EndpointError
    from rdiverse_pipelines.remote.package import check_iterations, compile_package, parameters

    with wrong_input(), tempfile.TemporaryDirectory() as folder:
        resolved = load("pipeline submit", config, overrides)
        selected, tolerated = _yaml("node-selector", node_selector, dict), _yaml("tolerations", tolerations, list)
        if package is None:
            if not image_prefix:
                fail("--image-prefix (where are your images?) or --package FILE is needed", WRONG_INPUT)
            from rdiverse_pipelines.iterations import pipeline_iterations

            package = Path(folder) / "pipeline.yaml"
            compile_package(pipeline_iterations(resolved), package, image_prefix, image_tag)
        check_iterations(resolved, package)
        arguments = parameters(
            resolved,
            release,
            workspace=workspace_claim,
            client_secret=client_secret,
            node_selector=selected,
            tolerations=tolerated,
        )
        found = installed.look(namespace, release, arguments["workspace"])
        for unknown in found.unknown:
            typer.echo(f"not checked: {unknown}", err=True)
        if found.missing:
            fail("\n".join(found.missing), FAILED)
        try:
            where = _endpoint(endpoint, token_file, ca_file)
            sent = send.submit(where, namespace, package, arguments, resolved.resolved_run_id, experiment)
        except EndpointError as error:
            fail(str(error), FAILED)
    typer.echo(f"run {resolved.resolved_run_id}: {sent}")


@pipeline.command()
def status(
    run: Annotated[str, typer.Argument(help="Kubeflow's id of the run, as `submit` prints it.")],
    endpoint: EndpointUrl,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
) -> None:
    """Say how a run fares, and each of its steps that has begun. Exit code 1 when it has failed."""
    from rdiverse_pipelines.remote import send
    from rdiverse_pipelines.remote.endpoint import EndpointError

    try:
        state = send.status(_endpoint(endpoint, token_file, ca_file), run)
    except EndpointError as error:
        fail(str(error), FAILED)
    for name, how in state.tasks:
        typer.echo(f"{how:<10} {name}")
    typer.echo(f"{state.state}{': ' + state.message if state.message else ''}")
    if state.state in {"FAILED", "CANCELED"}:
        raise typer.Exit(FAILED)


def _endpoint(url: str, token_file: Path | None, ca_file: Path | None) -> "Endpoint":
    from rdiverse_pipelines.remote.endpoint import Endpoint

    try:
        token = token_file.read_text(encoding="utf-8").strip() if token_file else ""
    except OSError as error:
        fail(f"--token-file {token_file}: cannot be read: {os.strerror(error.errno or 0)}", WRONG_INPUT)
    return Endpoint(url, token, ca_file)


def _yaml(option: str, text: str, kind: type) -> Any:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        value = None
    if not isinstance(value, kind):
        fail(f"--{option} {text!r}: must be a YAML {'mapping' if kind is dict else 'list'}", WRONG_INPUT)
    return value
