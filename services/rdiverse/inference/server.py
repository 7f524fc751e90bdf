"""`rdiverse serve challenger|solver|coder|encoder`: one process, one role."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import uvloop

from rdiverse.config import RunConfig
from rdiverse.grading.pool import GradingPool
from rdiverse.grpcio_kit.server import Serving
from rdiverse.inference import metrics
from rdiverse.inference.engines.engine import Engine
from rdiverse.inference.host import ModelHost
from rdiverse.inference.servicers.challenger import ChallengerServicer
from rdiverse.inference.servicers.language_model import LanguageModelServicer
from rdiverse.inference.servicers.model_control import ModelControlServicer
from rdiverse.inference.servicers.open_inference import OpenInference
from rdiverse.inference.servicers.solver import SolverServicer
from rdiverse.inference.servicers.voting import VoteCounter
from rdiverse.runs.lifeline import watch_lifeline
from rdiverse.selfplay.roles import Role
from rdiverse.v1 import challenger_pb2, language_model_pb2, model_control_pb2, solver_pb2
from rdiverse.v1.challenger_pb2_grpc import add_ChallengerServiceServicer_to_server
from rdiverse.v1.language_model_pb2_grpc import add_LanguageModelServiceServicer_to_server
from rdiverse.v1.model_control_pb2_grpc import add_ModelControlServiceServicer_to_server
from rdiverse.v1.solver_pb2_grpc import add_SolverServiceServicer_to_server

log = logging.getLogger(__name__)

_WATCH_SECONDS = 0.2
"""How often the engine's health is taken over into the server's."""


def serve(role: Role, config: RunConfig, listen: str, metrics_port: int, weights: Path | None = None) -> None:
    """Serve one role until SIGTERM. `weights`: a checkpoint in place of the configured model.

    Raises OSError (an address is taken) and CheckpointError (the model cannot be loaded).
    """
    watch_lifeline()
    # This loop and the engine's thread take turns at Python: uvloop's turns are shorter.
    uvloop.run(_serve(role, config, listen, metrics_port, weights))


async def _serve(role: Role, config: RunConfig, listen: str, metrics_port: int, weights: Path | None) -> None:
    async with started(role, config, listen, metrics_port, weights) as serving:
        await serving.run_until_stopped()


@contextlib.asynccontextmanager
async def started(
    role: Role, config: RunConfig, listen: str, metrics_port: int, weights: Path | None = None
) -> AsyncIterator[Serving]:
    """Give a server that is ready; leaving drains it. It answers health checks while the model is still being loaded."""
    serving = Serving(listen, metrics_port)
    host = ModelHost(role, config, weights)
    async with contextlib.AsyncExitStack() as stack:
        _add_services(serving, host, stack)
        engine = make_engine(host)
        stack.push_async_callback(engine.close)
        await serving.start()
        stack.push_async_callback(serving.stop)
        await engine.start()
        host.put(engine)
        metrics.QUEUE_ROWS.labels(role).set_function(lambda: engine.waiting_rows)
        metrics.RUNNING_ROWS.labels(role).set_function(lambda: engine.running_rows)
        await serving.set_ready(ready=True)
        log.info("%s serves weights %s on %s", role, engine.version, listen)
        watcher = asyncio.create_task(_watch(serving, engine))
        stack.callback(watcher.cancel)
        yield serving


def _add_services(serving: Serving, host: ModelHost, stack: contextlib.AsyncExitStack) -> None:
    serving.add(language_model_pb2.DESCRIPTOR, add_LanguageModelServiceServicer_to_server, LanguageModelServicer(host))
    serving.add(model_control_pb2.DESCRIPTOR, add_ModelControlServiceServicer_to_server, ModelControlServicer(host))
    serving.server.add_generic_rpc_handlers((OpenInference(host),))
    if host.role == Role.CHALLENGER:
        serving.add(challenger_pb2.DESCRIPTOR, add_ChallengerServiceServicer_to_server, ChallengerServicer(host))
    if host.role == Role.SOLVER:
        counter = VoteCounter(stack.enter_context(GradingPool(workers=1, timeout=2.0)))
        stack.callback(counter.close)
        serving.add(solver_pb2.DESCRIPTOR, add_SolverServiceServicer_to_server, SolverServicer(host, counter))


def make_engine(host: ModelHost) -> Engine:
    """The engine that the configuration names, not started."""
    config, embeds = host.config.inference, host.role == Role.ENCODER
    if config.engine == "vllm":
        from rdiverse.inference.engines.vllm_engine import VllmEngine

        return VllmEngine(host.source(), config, embeds=embeds)
    from rdiverse.inference.engines.transformers_engine import TransformersEngine

    return TransformersEngine(host.source(), config, embeds=embeds)


async def _watch(serving: Serving, engine: Engine) -> None:
    ready = healthy = True
    while True:
        await asyncio.sleep(_WATCH_SECONDS)
        if engine.healthy != healthy:
            healthy = engine.healthy
            await serving.set_alive(alive=healthy)
        if (engine.ready and engine.healthy) != ready:
            ready = engine.ready and engine.healthy
            await serving.set_ready(ready=ready)
