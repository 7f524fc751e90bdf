"""The diversity server: DiversityService on one address, its memory in Milvus, its coder and encoder behind theirs."""

import asyncio
import logging
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from rdiverse.config import RunConfig
from rdiverse.diversity import metrics
from rdiverse.diversity.memory.ledger import IncompatibleError
from rdiverse.diversity.memory.milvus import MilvusMemory
from rdiverse.diversity.memory.milvus_connection import MilvusConnection
from rdiverse.diversity.memory.protocol import MemoryUnavailableError, NotTheWriterError
from rdiverse.diversity.sam.cache import SamCache
from rdiverse.diversity.sam.embedder import SamEmbedder
from rdiverse.diversity.sam.remote_models import RemoteCoder, RemoteEncoder
from rdiverse.diversity.server.forwarding import ReplicaServicer
from rdiverse.diversity.server.servicer import DiversityServicer
from rdiverse.diversity.server.writer import WRITER_VARIABLE, writer_lock
from rdiverse.grpcio_kit.access_tokens import AccessTokens, TokenInterceptor
from rdiverse.grpcio_kit.server import Serving
from rdiverse.v1 import diversity_pb2
from rdiverse.v1.diversity_pb2_grpc import add_DiversityServiceServicer_to_server

log = logging.getLogger(__name__)

CODER_VARIABLE = "RDIVERSE_CODER_ADDRESS"
ENCODER_VARIABLE = "RDIVERSE_ENCODER_ADDRESS"
CACHE_VARIABLE = "RDIVERSE_CACHE_DIR"

_SERVICE = "/rdiverse.v1.DiversityService/"
LIMITS = {
    _SERVICE + name: limit
    for name, limit in {
        "Score": 128, "Commit": 4, "SampleReplay": 16, "FindNeighbors": 128, "GetStats": 128, "Rollback": 4, "DeleteRun": 4,
        "ListRuns": 32,
    }.items()
}  # fmt: skip
_WATCH_SECONDS = 0.5
_PING_SECONDS = 10.0
_CLAIM_SECONDS = 60.0


class SettingError(ValueError):
    """The environment says what this server cannot work with; the text names the variable or the file."""


def serve(config: RunConfig, listen: str, metrics_port: int) -> None:
    """Serve until SIGTERM. Addresses come from the environment: Milvus, and coder and encoder where they are used.

    Raises SettingError when no Milvus is named, the configuration needs an encoder that is not, or the tokens are none;
    WriterBusyError when another process of this machine writes to that memory, IncompatibleError when the memory is
    another version's, OSError when an address is taken.
    """
    # Threads that compute give way to the one that answers health checks.
    sys.setswitchinterval(0.001)
    try:
        connection = MilvusConnection.from_environment()
        tokens = AccessTokens.from_environment()
        if config.encoder.kind == "model" and not os.environ.get(ENCODER_VARIABLE):
            raise ValueError(f"{ENCODER_VARIABLE} must be set: encoder.kind = model needs a server that embeds")
    except (ValueError, OSError) as error:
        raise SettingError(str(error)) from error
    writer_address = os.environ.get(WRITER_VARIABLE)
    with ExitStack() as held:
        if not writer_address:
            held.enter_context(writer_lock(connection.uri))
        cache = SamCache(Path(os.environ.get(CACHE_VARIABLE) or config.workspace / "cache") / "sam" / "cache.sqlite")
        held.callback(cache.close)
        held.callback(connection.close)
        asyncio.run(_serve(config, listen, metrics_port, connection, cache, tokens, writer_address))


async def _serve(
    config: RunConfig,
    listen: str,
    metrics_port: int,
    connection: MilvusConnection,
    cache: SamCache,
    tokens: AccessTokens | None,
    writer_address: str | None,
) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(8, "work"))
    memory = MilvusMemory(connection)
    sam = _sam(config, cache)
    if writer_address:
        servicer: DiversityServicer = ReplicaServicer(sam, memory, writer_address, tokens)
    else:
        servicer = DiversityServicer(sam, memory, tokens)
    serving = Serving(listen, metrics_port, limits=LIMITS, interceptors=[TokenInterceptor(tokens)] if tokens else [])
    serving.add(diversity_pb2.DESCRIPTOR, add_DiversityServiceServicer_to_server, servicer)
    await serving.start()
    watch = asyncio.create_task(_watch(serving, memory, claims=not writer_address))
    watch.add_done_callback(lambda _: serving.ask_to_stop())
    await serving.run_until_stopped()
    if not watch.cancel():
        watch.result()


def _sam(config: RunConfig, cache: SamCache) -> SamEmbedder:
    coder_address = os.environ.get(CODER_VARIABLE)
    encoder = RemoteEncoder(os.environ[ENCODER_VARIABLE]) if config.encoder.kind == "model" else None
    limits = config.coder
    coder = (
        RemoteCoder(coder_address, config.prompts.coder.template, limits.max_tokens, limits.retry_max_tokens)
        if coder_address
        else None
    )
    return SamEmbedder(coder, encoder, config.encoder.dimension, cache)


async def _watch(serving: Serving, memory: MilvusMemory, *, claims: bool) -> None:
    """Keep readiness true to Milvus: ready while it answers.

    Ends, with its error, only when this server must not go on: the memory is another version's, or another process has
    become its writer.
    """
    claimed = not claims
    told = False
    while True:
        try:
            if not claimed:
                await asyncio.to_thread(memory.claim, _CLAIM_SECONDS)
                claimed = True
                for ledger in await asyncio.to_thread(memory.ledgers, _CLAIM_SECONDS):
                    metrics.MEMORY_ITEMS.labels(ledger.run).set(ledger.items)
            await asyncio.to_thread(memory.keep_claim if claims else memory.ping, _PING_SECONDS)
            reachable, told = True, False
        except MemoryUnavailableError as error:
            if not told:
                log.warning("waits for Milvus: %s", error)
            reachable, told = False, True
        except (IncompatibleError, NotTheWriterError) as error:
            log.error("this server cannot serve this memory: %s", error)  # noqa: TRY400 - no fault of ours to trace
            raise
        if serving.ready != reachable:
            await serving.set_ready(ready=reachable)
        await asyncio.sleep(_WATCH_SECONDS)
