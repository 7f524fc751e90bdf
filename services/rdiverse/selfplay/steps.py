"""The steps of a run, by the names that they have everywhere: in the pipeline, its pods, records, events and figures."""

from enum import StrEnum
from typing import Final

from rdiverse.selfplay.roles import Role


class Step(StrEnum):
    """One step of the pipeline, in the pipeline's order."""

    PREPARE = "prepare"
    SERVE_BASE = "serve-base"
    EVALUATE_BASE = "evaluate-base"
    TRAIN_CHALLENGER = "train-challenger"
    SERVE_CHALLENGER = "serve-challenger"
    PROPOSE = "propose"
    LABEL = "label"
    CURATE = "curate"
    TRAIN_SOLVER = "train-solver"
    SERVE_SOLVER = "serve-solver"
    EVALUATE = "evaluate"
    REPORT = "report"
    FINISH = "finish"


TRAINING: Final = {Role.CHALLENGER: Step.TRAIN_CHALLENGER, Role.SOLVER: Step.TRAIN_SOLVER}
SERVING: Final = {Role.CHALLENGER: Step.SERVE_CHALLENGER, Role.SOLVER: Step.SERVE_SOLVER}

RECORDED: Final = (Step.TRAIN_CHALLENGER, Step.PROPOSE, Step.LABEL, Step.CURATE, Step.TRAIN_SOLVER, Step.EVALUATE)
"""What an iteration leaves records of, each once; of the base model (iteration 0) there is only the evaluation."""

REST: Final = "rest"
"""The phase in which no run is at work."""
PHASES: Final = (*RECORDED, REST)
"""The parts of an iteration between which GPUs change hands, and what stays up when a run has ended."""


def recorded(iteration: int) -> tuple[Step, ...]:
    """The steps that leave a record in an iteration."""
    return RECORDED if iteration else (Step.EVALUATE,)
