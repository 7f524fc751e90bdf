"""A TCP proxy that mistreats a connection: cuts it, holds it back, or changes bytes on their way."""

import socket
import threading
import time
from contextlib import suppress


class Proxy:
    """Forwards to 127.0.0.1:`target`. What it does is changed while it runs."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.delay = 0.0
        """Seconds that every piece of data waits, in both directions."""
        self.corrupt = 0
        """Pieces of data to the server that will have a byte changed."""
        self.refuse = False
        """Whether new connections are closed at once."""
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.address = f"127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> int:
        """Break all connections now; says how many there were."""
        broken, self._sockets = self._sockets, []
        for each in broken:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        return len(broken) // 2

    def close(self) -> None:
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                inner, _ = self._listener.accept()
            except OSError:
                return
            if self.refuse:
                inner.close()
                continue
            try:
                outer = socket.create_connection(("127.0.0.1", self.target), timeout=5)
            except OSError:
                inner.close()
                continue
            outer.settimeout(None)
            self._sockets += [inner, outer]
            threading.Thread(target=self._pump, args=(inner, outer, True), daemon=True).start()
            threading.Thread(target=self._pump, args=(outer, inner, False), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, to_server: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if self.delay:
                    time.sleep(self.delay)
                if to_server and self.corrupt and len(data) > 20:
                    self.corrupt -= 1
                    middle = len(data) // 2
                    data = data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]
                sink.sendall(data)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
