"""Servers of the tests: a real one in a thread of this process, so that many tests share one start."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rdiverse.config import RunConfig
from rdiverse.inference.host import Role


def tiny_config(model: Path, **inference: Any) -> RunConfig:
    """A configuration that serves a tiny model for every role."""
    engine = {"engine": "transformers", "dtype": "float32", "max_model_len": 256, "max_batch_rows": 64} | inference
    short = {"max_tokens": 24}
    return RunConfig.model_validate(
        {
            "model": str(model),
            "inference": engine,
            "prompts": {"challenger": {"user": "Ask."}, "solver": {"user": "Solve: {question}"}},
            "challenger": {"sampling": {"top_p": 0.95} | short},
            "solver": {"sampling": {"top_k": 40} | short},
            "coder": {"model": str(model), "max_tokens": 24},
            "encoder": {"kind": "model", "model": str(model)},
        }
    )


class Served:
    """A server under test."""

    def __init__(self, role: Role, config: RunConfig, weights: Path | None = None) -> None:
        self._role: Role = role
        self._config = config
        self._weights = weights
        self._begun = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._begun.wait(60)
        if self._error:
            raise self._error

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:  # noqa: BLE001  raised again in the test's thread
            self._error = error
        finally:
            self._begun.set()

    async def _main(self) -> None:
        from rdiverse.inference.server import started

        async with started(self._role, self._config, "127.0.0.1:0", 0, self._weights) as serving:
            self.loop = asyncio.get_running_loop()
            self.serving = serving
            self.address = f"127.0.0.1:{serving.port}"
            self._stop = asyncio.Event()
            self._begun.set()
            await self._stop.wait()

    def stop(self) -> None:
        """Drain the server."""
        self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(60)
        assert not self._thread.is_alive()
        if self._error:
            raise self._error


@contextmanager
def served(role: Role, config: RunConfig, weights: Path | None = None) -> Iterator[Served]:
    """Serve a role until the block ends."""
    server = Served(role, config, weights)
    try:
        yield server
    finally:
        server.stop()
