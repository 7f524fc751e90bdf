"""Free ports on loopback."""

import socket
from contextlib import ExitStack

HOST = "127.0.0.1"


class PortsExhaustedError(ValueError):
    """The configured range has too few free ports."""


def free_ports(count: int, port_range: tuple[int, int] | None) -> list[int]:
    """`count` distinct ports that nobody listens on, from the range or, without one, wherever the system likes.

    Raises PortsExhaustedError.
    """
    with ExitStack() as held:
        ports: list[int] = []
        for candidate in range(port_range[0], port_range[1] + 1) if port_range else [0] * count:
            if len(ports) == count:
                break
            probe = held.enter_context(socket.socket())
            # A port whose last connection is only winding down is free for a listener.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, candidate))
            except OSError:
                continue
            ports.append(probe.getsockname()[1])
        if len(ports) < count:
            raise PortsExhaustedError(
                f"local.port_range = {list(port_range or ())}: {len(ports)} of the {count} ports needed are free"
            )
        return ports
