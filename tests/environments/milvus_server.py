"""Runs a command while PyPI's `milvus` server is up. Belongs to the environment that milvus.sh makes, not to rdiverse's."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile


def main() -> int:
    from milvus import MilvusServer

    folder, *command = sys.argv[1:]
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    data = tempfile.mkdtemp(prefix="data-", dir=folder)
    # SIGTERM is to end the server too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    server = MilvusServer(debug=False)
    server.set_base_dir(data)
    server.listen_port = free_port()
    try:
        server.start()
        environment = {**os.environ, "MILVUS_URI": f"http://127.0.0.1:{server.listen_port}"}
        return subprocess.run(command, env=environment, check=False).returncode
    finally:
        server.stop()
        shutil.rmtree(data, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


if __name__ == "__main__":
    sys.exit(main())
