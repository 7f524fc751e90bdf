"""The self-play loop as one pipeline: the same on a laptop and on a cluster.

Iterations are unrolled when the pipeline is built, since Kubeflow has no loop that hands results on.
"""

from collections.abc import Callable
from typing import Any

from kfp import dsl
from kfp.dsl.base_component import BaseComponent

from rdiverse_pipelines.components.curate import curate
from rdiverse_pipelines.components.evaluate import evaluate
from rdiverse_pipelines.components.label import label
from rdiverse_pipelines.components.prepare import prepare
from rdiverse_pipelines.components.propose import propose
from rdiverse_pipelines.components.report import report
from rdiverse_pipelines.components.roll_out_challenger import roll_out_challenger
from rdiverse_pipelines.components.roll_out_solver import roll_out_solver
from rdiverse_pipelines.components.train_challenger import train_challenger
from rdiverse_pipelines.components.train_solver import train_solver

# Each is used once a pipeline: Kubeflow's compiler numbers repeated ones in no fixed order.
FUNCTIONS = (
    prepare,
    train_challenger,
    roll_out_challenger,
    propose,
    label,
    curate,
    train_solver,
    roll_out_solver,
    evaluate,
    report,
)
PIPELINES_IMAGE = "rdiverse-pipelines-python"


def build_pipeline(iterations: int, image: str = PIPELINES_IMAGE) -> BaseComponent:
    """The pipeline for a number of iterations (0: evaluate the base model only).

    Its one parameter, `config`, is a RunConfig as YAML whose `iterations` must be the same number. No step is ever taken from
    Kubeflow's cache: most have effects outside it, and a run skips what it has finished by its own records.
    """
    components = {function.__name__: _component(function, image) for function in FUNCTIONS}

    def step(name: str, title: str, **arguments: Any) -> dsl.PipelineTask:
        task = components[name](**arguments)
        task.set_caching_options(enable_caching=False)
        task.set_display_name(title)
        return task

    @dsl.pipeline(name="iteration", description="One iteration of self-play.")  # type: ignore[untyped-decorator]
    def iteration(run: str, number: int, solver: str) -> str:
        challenger = step("train_challenger", "train Challenger", run=run, iteration=number, solver=solver)
        served = step(
            "roll_out_challenger", "serve Challenger", run=run, iteration=number, weights=challenger.outputs["Output"]
        )
        questions = step("propose", "propose", run=run, iteration=number, challenger=served.output)
        labels = step("label", "label", run=run, iteration=number, questions=questions.outputs["Output"])
        dataset = step("curate", "curate", run=run, iteration=number, labels=labels.outputs["Output"])
        trained = step("train_solver", "train Solver", run=run, iteration=number, dataset=dataset.outputs["Output"])
        served = step("roll_out_solver", "serve Solver", run=run, iteration=number, weights=trained.outputs["Output"])
        step("evaluate", "evaluate", run=run, iteration=number, solver=served.output)
        return served.output  # type: ignore[no-any-return]

    @dsl.pipeline(name=f"rdiverse-{iterations}", description=f"Self-play training, {iterations} iterations.")  # type: ignore[untyped-decorator]
    def pipeline(config: str) -> None:
        run = step("prepare", "prepare", config=config).output
        served = step("roll_out_solver", "serve base Solver", run=run, iteration=0, weights="").output
        last = step("evaluate", "evaluate base", run=run, iteration=0, solver=served)
        for number in range(1, iterations + 1):
            # An evaluation that still runs must not meet the next iteration's weights.
            last = iteration(run=run, number=number, solver=served).after(last)
            last.set_display_name(f"iteration {number}")
            served = last.output
        step("report", "report", run=run, evaluation=served).after(last)

    return pipeline


def _component(function: Callable[..., Any], image: str) -> BaseComponent:
    return dsl.component(function, base_image=image, install_kfp_package=False)
