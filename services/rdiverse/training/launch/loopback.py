"""A rendezvous that only this machine can reach: the store of torchrun's own ones listens on every interface."""

import socket
from typing import TYPE_CHECKING

from torch.distributed import TCPStore  # type: ignore[attr-defined]
from torch.distributed.elastic.rendezvous import RendezvousInfo, RendezvousParameters, rendezvous_handler_registry
from torch.distributed.elastic.rendezvous.static_tcp_rendezvous import StaticTCPRendezvous
from torch.distributed.elastic.rendezvous.utils import parse_rendezvous_endpoint

if TYPE_CHECKING:
    from torch.distributed.elastic.rendezvous import RendezvousHandler

BACKEND = "loopback"
HOST = "127.0.0.1"
TIMEOUT_SECONDS = 600


class LoopbackRendezvous(StaticTCPRendezvous):
    """One machine's ranks, by a store that is given a socket which listens on 127.0.0.1 already."""

    def get_backend(self) -> str:
        """The name that torchrun asked for."""
        return BACKEND

    def next_rendezvous(self) -> RendezvousInfo:
        """Make the store at the first call (see StaticTCPRendezvous). Raises OSError when the port is taken."""
        if not self._store:
            listener = socket.create_server((HOST, self.master_port))
            self._store = TCPStore(
                HOST, self.master_port, self.world_size, True, self.timeout, master_listen_fd=listener.detach()
            )
        return super().next_rendezvous()


def register() -> None:
    """Make `--rdzv-backend=loopback --rdzv-endpoint=127.0.0.1:PORT` known to torchrun in this process."""
    rendezvous_handler_registry.register(BACKEND, _handler)


def _handler(parameters: RendezvousParameters) -> "RendezvousHandler":
    _host, port = parse_rendezvous_endpoint(parameters.endpoint, -1)
    return LoopbackRendezvous(HOST, port, 0, parameters.max_nodes, parameters.run_id, TIMEOUT_SECONDS)
