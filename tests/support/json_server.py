"""An HTTP server in a thread that answers with JSON: what stands for the API servers of a cluster is made of it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class JsonHandler(BaseHTTPRequestHandler):
    def log_message(self, *_args: Any) -> None:
        """Say nothing."""

    def _answer(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def served(handler: type[JsonHandler], **shared: Any) -> Iterator[str]:
    """Serve with a handler class that is given `shared` as attributes; gives the URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (handler,), shared))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
