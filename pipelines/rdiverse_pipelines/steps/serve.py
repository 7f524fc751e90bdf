"""Puts weights behind a role's service."""

import time

from rdiverse.runs.events import Event, EventLog
from rdiverse.runs.manifest import read_record
from rdiverse.selfplay.roles import Role
from rdiverse.selfplay.steps import SERVING, Step
from rdiverse_pipelines.context import RunContext


def serve_weights(run: RunContext, role: Role, t: int) -> str:
    """Make the service of `role` serve its weights after iteration t. Returns the version.

    Never taken as done from a record, since a server may have been restarted with other weights: the service is asked, and
    changes only on a mismatch. Left out when nobody will ask those weights anything any more.
    """
    step = SERVING[role]
    log = EventLog(run.folder.events)
    asker = _first_asker(run, role, t)
    if asker is None:
        log.write(Event(step, t, "skip"))
        return ""
    log.write(Event(step, t, "start"))
    began = time.monotonic()
    policy = run.policy(role, t)
    phase, at = asker
    run.target.ensure_serving(phase, at, {role: policy})
    log.write(Event(step, t, "end", message=f"{time.monotonic() - began:.1f} s"))
    return policy.version


def _first_asker(run: RunContext, role: Role, t: int) -> tuple[Step, int] | None:
    """The first step yet to be done that asks these weights, and its iteration."""
    askers: list[tuple[Step, int]] = [(Step.PROPOSE, t)]
    if role is Role.SOLVER:
        askers = [(Step.EVALUATE, t), (Step.TRAIN_CHALLENGER, t + 1), (Step.LABEL, t + 1)]
    undone = (asker for asker in askers if asker[1] <= run.config.iterations and read_record(run.folder, *asker) is None)
    return next(undone, None)
