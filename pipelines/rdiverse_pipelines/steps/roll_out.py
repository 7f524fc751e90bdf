"""Puts weights behind a role's service."""

import time

from rdiverse.inference.client import ModelControlClient
from rdiverse.runs.events import Event, EventLog
from rdiverse.runs.manifest import StepError, read_record
from rdiverse_pipelines.context import Role, RunContext, address


def roll_out(run: RunContext, role: Role, t: int) -> str:
    """Make the service of `role` serve its weights after iteration t. Returns the version.

    Never taken as done from a record, since a server may have been restarted with other weights: the service is asked, and
    loads only on a mismatch. Left out when nobody will ask those weights anything any more.
    """
    step = f"roll-out-{role}"
    log = EventLog(run.folder.events)
    if not _needed(run, role, t):
        log.write(Event(step, t, "skip"))
        return ""
    log.write(Event(step, t, "start"))
    began = time.monotonic()
    policy = run.policy(role, t)
    with ModelControlClient(address(role)) as client:
        if client.get_model().weights != policy.version:
            served = client.load_weights(str(policy.path), policy.version)
            if served != policy.version:
                raise StepError(f"the {role} service serves {served} instead of {policy.version} from {policy.path}")
    log.write(Event(step, t, "end", message=f"{time.monotonic() - began:.1f} s"))
    return policy.version


def _needed(run: RunContext, role: Role, t: int) -> bool:
    """Whether a step that asks these weights is yet to be done."""
    askers = [("propose", t)] if role == "challenger" else [("evaluate", t), ("train-challenger", t + 1), ("label", t + 1)]
    return any(read_record(run.folder, step, at) is None for step, at in askers if at <= run.config.iterations)
