"""Compiled pipelines, and the parameters that one is started with."""

import re
from pathlib import Path
from typing import Any

import yaml

from rdiverse.config import ConfigError, RunConfig, dump_config
from rdiverse_pipelines.iterations import pipeline_iterations


def compile_package(iterations: int, output: Path, image_prefix: str = "", image_tag: str = "") -> None:
    """Compile the pipeline of so many iterations to Kubeflow's YAML; the same input gives the same bytes.

    Raises ConfigError for a file that is not to be called YAML.
    """
    if output.suffix not in {".yaml", ".yml"}:
        raise ConfigError(f"--output {output}: must end with .yaml")
    from kfp import compiler

    from rdiverse_pipelines.dag import DEFAULT_IMAGE, build_pipeline

    name, _, tag = DEFAULT_IMAGE.partition(":")
    prefix = f"{image_prefix.rstrip('/')}/" if image_prefix else ""
    output.parent.mkdir(parents=True, exist_ok=True)
    compiler.Compiler().compile(build_pipeline(iterations, f"{prefix}{name}:{image_tag or tag}"), str(output))


def package_iterations(package: Path) -> int:
    """How many iterations a compiled pipeline has. Raises ConfigError for a file that is none of ours."""
    try:
        with package.open(encoding="utf-8") as file:
            name = str(next(yaml.safe_load_all(file))["pipelineInfo"]["name"])
    except OSError as error:
        raise ConfigError(f"{package}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, KeyError, TypeError, StopIteration) as error:
        raise ConfigError(f"{package}: must be a compiled pipeline; `rdiverse pipeline compile` makes one") from error
    found = re.fullmatch(r"rdiverse-(\d+)", name)
    if not found:
        raise ConfigError(f"{package}: must be a pipeline of rdiverse, but is called {name!r}")
    return int(found[1])


def check_iterations(config: RunConfig, package: Path) -> None:
    """Raise ConfigError when a package is not compiled for the number of iterations that a configuration asks for."""
    compiled, wanted = package_iterations(package), pipeline_iterations(config)
    if compiled != wanted:
        raise ConfigError(
            f"the configuration asks for {wanted} iterations, {package} is compiled for {compiled}."
            f" Compile one: rdiverse pipeline compile --iterations {wanted} --image-prefix ... --output ..."
        )


def parameters(
    config: RunConfig,
    release: str,
    *,
    workspace: str = "",
    client_secret: str = "",
    node_selector: dict[str, str] | None = None,
    tolerations: list[Any] | None = None,
) -> dict[str, Any]:
    """The pipeline's parameters for a run in a release of the chart; names that are not given are the chart's own."""
    return {
        "config": dump_config(config),
        "settings": f"{release}-run",
        "workspace": workspace or f"{release}-workspace",
        "client_secret": client_secret or f"{release}-client",
        "node_selector": node_selector or {},
        "tolerations": tolerations or [],
    }
