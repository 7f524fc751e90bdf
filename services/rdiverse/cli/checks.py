"""What a command looks at before it loads anything: a mistake of the operator is one line and exit code 2."""

import os
import socket
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rdiverse.cli.common import FAILED, WRONG_INPUT, fail

if TYPE_CHECKING:
    from rdiverse.config import RunConfig

FILES: Final = (
    "RDIVERSE_TLS_DIR",
    "RDIVERSE_TOKEN_FILE",
    "RDIVERSE_TOKENS_FILE",
    "RDIVERSE_MILVUS_TOKEN_FILE",
    "RDIVERSE_MILVUS_CA_FILE",
)
"""Variables that name files or folders which must be there."""


def check_files() -> None:
    """Fail when a variable of the environment names a file that is not there."""
    for variable in FILES:
        path = os.environ.get(variable)
        if path and not Path(path).exists():
            fail(f"{variable} = {path!r}: there is no such file", WRONG_INPUT)


def check_named(*variables: str) -> None:
    """Fail when a variable of the environment is not set."""
    missing = [variable for variable in variables if not os.environ.get(variable)]
    if missing:
        fail(f"{' and '.join(missing)} must be set, to the HOST:PORT of a running server", WRONG_INPUT)


def check_listen(listen: str, metrics_port: int) -> None:
    """Fail when `listen` is no HOST:PORT, or one of the two ports cannot be had."""
    host, _, port = listen.rpartition(":")
    if not (host and port.isdecimal() and int(port) < 65536):
        fail(f"--listen {listen!r}: must be HOST:PORT, as in 127.0.0.1:9000", WRONG_INPUT)
    for option, number in (("--listen", int(port)), ("--metrics-port", metrics_port)):
        try:
            kind, _, _, _, address = socket.getaddrinfo(host.strip("[]"), number, type=socket.SOCK_STREAM)[0]
            with socket.socket(kind) as tried:
                # A port that another server has just left is free.
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                tried.bind(address)
        except OSError as error:
            fail(f"{option}: cannot listen on {host}:{number}: {error.strerror or error}", WRONG_INPUT)


def check_answers(address: str, seconds: float = 4.0) -> None:
    """Fail within seconds when nobody listens at an address: somebody waits at the terminal."""
    import grpc

    from rdiverse.grpcio_kit.channels import channel

    with channel(address) as opened:
        try:
            grpc.channel_ready_future(opened).result(seconds)
        except grpc.FutureTimeoutError:
            fail(f"{address}: nobody answers there; waited {seconds:g} s", FAILED)


def check_installed(config: "RunConfig") -> None:
    """Fail when the configuration asks for an engine or a tracker that is not installed here."""
    if config.inference.engine == "vllm" and find_spec("vllm") is None:
        fail("inference.engine = 'vllm': vLLM is not installed here; transformers is", WRONG_INPUT)
    for role in ("challenger", "solver"):
        for tracker in getattr(config, role).training.trackers:
            if find_spec(tracker) is None:
                fail(f"{role}.training.trackers: {tracker} is not installed here", WRONG_INPUT)
