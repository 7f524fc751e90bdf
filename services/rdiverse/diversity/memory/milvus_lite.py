"""Milvus Lite's server, in this process, ended with the lifeline: `python -m rdiverse.diversity.memory.milvus_lite`.

In process, so that no kill of this program can leave a server behind.
"""

import argparse
import ctypes
import signal
import threading
from pathlib import Path

from rdiverse.runs.lifeline import watch_lifeline

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8


def serve(data_dir: Path, port: int, host: str = "127.0.0.1") -> None:
    """Serve the memory in `data_dir` at host:port until SIGTERM, SIGINT or the end of the lifeline.

    Raises OSError when the port is taken, RuntimeError when another process holds the folder.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    _keep_freed_memory()
    _drop_index_files(data_dir)
    from milvus_lite.adapter.grpc.server import start_server_in_thread

    data_dir.mkdir(parents=True, exist_ok=True)
    server, database, bound = start_server_in_thread(str(data_dir), host=host, port=port)
    if bound != port and port:
        raise OSError(f"{host}:{port} is taken")
    stop.wait()
    server.stop(grace=2).wait()
    database.close()


def _drop_index_files(data_dir: Path) -> None:
    """Remove what can be made again: exact indexes are copies of the rows' vectors.

    They are not written aside, so a kill leaves half of one, and with it a collection that can never be loaded again
    (seen in 3.2.2). Made anew, they also share the rows' memory in place of doubling it.
    """
    for file in data_dir.rglob("*.flat.idx"):
        file.unlink()


def _keep_freed_memory() -> None:
    """Let glibc keep blocks of up to 32 MiB: every search takes and gives back such, and fresh pages cost time."""
    for option, value in ((_M_ARENA_MAX, 1), (_M_MMAP_THRESHOLD, 32 * 2**20), (_M_TRIM_THRESHOLD, 256 * 2**20)):
        ctypes.CDLL(None).mallopt(option, value)


def main() -> None:
    """The command line."""
    watch_lifeline()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    serve(arguments.data_dir, arguments.port, arguments.host)


if __name__ == "__main__":
    main()
