"""The self-play loop as one pipeline: the same on a laptop and on a cluster.

Iterations are unrolled when the pipeline is built, since Kubeflow has no loop that hands results on.
"""

from importlib import import_module
from importlib.metadata import version
from typing import Any

from kfp import dsl
from kfp.dsl.base_component import BaseComponent

from rdiverse.selfplay.steps import Step
from rdiverse_pipelines.pods import Pods

IMAGE = "rdiverse-pipelines"
DEFAULT_IMAGE = f"{IMAGE}:{version('rdiverse')}"
"""Without a registry: nobody publishes the images, so whoever builds them says where they are."""


def pipeline_name(iterations: int) -> str:
    """The name by which a compiled pipeline tells its number of iterations."""
    return f"rdiverse-{iterations}"


def build_pipeline(iterations: int, image: str = DEFAULT_IMAGE, *, retries: bool = True) -> BaseComponent:
    """The pipeline for a number of iterations (0: evaluate the base model only).

    `config` is a RunConfig as YAML whose `iterations` must be the same number; the other parameters say where a cluster
    keeps what the steps' pods need, and mean nothing on one machine. No step is ever taken from Kubeflow's cache: most have
    effects outside it, and a run skips what it has finished by its own records. `retries`: whether a failed step is tried
    again, later and later.
    """
    # Each is used once, either in an iteration or around them: Kubeflow's compiler numbers repeated ones in no fixed order, and
    # lets the pods' settings of an inner one overwrite those of an outer one of the same name.
    components = {step: _component(step, image) for step in Step}

    def step(pods: Pods, name: Step, **arguments: Any) -> dsl.PipelineTask:
        task = components[name](**arguments)
        task.set_caching_options(enable_caching=False)
        task.set_display_name(name)
        pods.equip(task, name, retries=retries)
        return task

    @dsl.pipeline(name="iteration", description="One iteration of self-play.")  # type: ignore[untyped-decorator]
    def iteration(
        run: str,
        number: int,
        solver: str,
        settings: str,
        workspace: str,
        client_secret: str,
        node_selector: dict,  # type: ignore[type-arg]  # Kubeflow knows no other
        tolerations: list,  # type: ignore[type-arg]
    ) -> str:
        pods = Pods(settings, workspace, client_secret, node_selector, tolerations)
        challenger = step(pods, Step.TRAIN_CHALLENGER, run=run, iteration=number, solver=solver)
        served = step(pods, Step.SERVE_CHALLENGER, run=run, iteration=number, weights=challenger.outputs["Output"])
        questions = step(pods, Step.PROPOSE, run=run, iteration=number, challenger=served.output)
        labels = step(pods, Step.LABEL, run=run, iteration=number, questions=questions.outputs["Output"])
        dataset = step(pods, Step.CURATE, run=run, iteration=number, labels=labels.outputs["Output"])
        trained = step(pods, Step.TRAIN_SOLVER, run=run, iteration=number, dataset=dataset.outputs["Output"])
        served = step(pods, Step.SERVE_SOLVER, run=run, iteration=number, weights=trained.outputs["Output"])
        step(pods, Step.EVALUATE, run=run, iteration=number, solver=served.output)
        return served.output  # type: ignore[no-any-return]

    @dsl.pipeline(name=pipeline_name(iterations), description=f"Self-play training, {iterations} iterations.")  # type: ignore[untyped-decorator]
    def pipeline(
        config: str,
        settings: str = "rdiverse-run",
        workspace: str = "rdiverse-workspace",
        client_secret: str = "rdiverse-client",  # noqa: S107 - a Secret's name
        node_selector: dict = {},  # type: ignore[type-arg]  # noqa: B006 - read by the compiler
        tolerations: list = [],  # type: ignore[type-arg]  # noqa: B006
    ) -> None:
        """Train by self-play.

        Args:
            config: A run's configuration as YAML.
            settings: ConfigMap of the release, as the chart makes it.
            workspace: PersistentVolumeClaim that holds runs and weights (ReadWriteMany).
            client_secret: Secret with ca.crt, tls.crt, tls.key and token for the release's servers; need not exist.
            node_selector: Labels of the nodes on which the steps' own pods run; these need no GPU.
            tolerations: Taints that the steps' own pods tolerate.
        """
        pods = Pods(settings, workspace, client_secret, node_selector, tolerations)
        last_of_all = step(pods, Step.FINISH, config=config)
        with dsl.ExitHandler(last_of_all, name="run"):
            run = step(pods, Step.PREPARE, config=config, iterations=iterations).output
            served = step(pods, Step.SERVE_BASE, run=run).output
            last = step(pods, Step.EVALUATE_BASE, run=run, solver=served)
            for number in range(1, iterations + 1):
                # An evaluation that still runs must not meet the next iteration's weights.
                last = iteration(
                    run=run,
                    number=number,
                    solver=served,
                    settings=settings,
                    workspace=workspace,
                    client_secret=client_secret,
                    node_selector=node_selector,
                    tolerations=tolerations,
                ).after(last)
                last.set_display_name(f"iteration {number}")
                served = last.output
            step(pods, Step.REPORT, run=run, evaluation=served).after(last)

    return pipeline


def _component(step: Step, image: str) -> BaseComponent:
    """The component that bears the step's name, in a file of that name."""
    name = step.name.lower()
    function = getattr(import_module(f"rdiverse_pipelines.components.{name}"), name)
    return dsl.component(function, base_image=image, install_kfp_package=False)
