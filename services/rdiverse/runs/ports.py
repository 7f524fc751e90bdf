"""Free ports on loopback."""

import random
import socket
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

HOST = "127.0.0.1"

_SYSTEMS_OWN = Path("/proc/sys/net/ipv4/ip_local_port_range")
_FIRST = 10_000


class PortsExhaustedError(ValueError):
    """The configured range has too few free ports."""


def free_ports(count: int, port_range: tuple[int, int] | None) -> list[int]:
    """`count` distinct ports that nobody listens on, from the range or, without one, drawn from where nothing else takes any.

    Raises PortsExhaustedError.
    """
    with ExitStack() as held:
        ports: list[int] = []
        for candidate in range(port_range[0], port_range[1] + 1) if port_range else _quiet_ports():
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


def _quiet_ports() -> Iterable[int]:
    """Ports in random order that the system gives to nobody's connections.

    A server listens seconds after its port was chosen. One from the system's own range may by then be the near end of
    some connection, and two runs that begin together would look at any fixed order at the same time.
    """
    text = _SYSTEMS_OWN.read_text(encoding="ascii") if _SYSTEMS_OWN.is_file() else "32768 60999"
    beyond = max(int(text.split()[0]), _FIRST + 1000)
    return random.sample(range(_FIRST, beyond), beyond - _FIRST)  # nothing secret: whose turn it is
