"""TLS from files in one folder, named as Kubernetes' TLS secrets name them, and read again when they change."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

VARIABLE = "RDIVERSE_TLS_DIR"


@dataclass(frozen=True)
class TlsFolder:
    """`tls.crt` and `tls.key`, and `ca.crt` by which the other side is checked.

    A server with a `ca.crt` demands a certificate of every client (mutual TLS). A client needs `ca.crt` and shows
    its own certificate when the folder has one.
    """

    path: Path

    @classmethod
    def from_environment(cls) -> "TlsFolder | None":
        """The folder named by RDIVERSE_TLS_DIR; None, meaning plain text, when it is not set."""
        path = os.environ.get(VARIABLE)
        return cls(Path(path)) if path else None

    def server_credentials(self) -> grpc.ServerCredentials:
        """Credentials that take up rotated files at the next handshake. Raises OSError when a file is missing."""
        seen = self._stamp()

        def changed() -> Any:  # a configuration, or None: keep the present one
            nonlocal seen
            try:
                stamp = self._stamp()
                if stamp == seen:
                    return None
                configuration = self._configuration()
            except OSError:  # in the middle of a rotation: the present certificate stays until the files are whole
                return None
            seen = stamp
            return configuration

        return grpc.dynamic_ssl_server_credentials(
            self._configuration(), changed, require_client_authentication=self._ca() is not None
        )

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """Credentials of a client. Raises OSError when ca.crt is missing."""
        own = (self.path / "tls.crt").is_file()
        return grpc.ssl_channel_credentials(
            root_certificates=(self.path / "ca.crt").read_bytes(),
            private_key=(self.path / "tls.key").read_bytes() if own else None,
            certificate_chain=(self.path / "tls.crt").read_bytes() if own else None,
        )

    def _configuration(self) -> grpc.ServerCertificateConfiguration:
        pair = ((self.path / "tls.key").read_bytes(), (self.path / "tls.crt").read_bytes())
        return grpc.ssl_server_certificate_configuration([pair], root_certificates=self._ca())

    def _ca(self) -> bytes | None:
        ca = self.path / "ca.crt"
        return ca.read_bytes() if ca.is_file() else None

    def _stamp(self) -> tuple[tuple[str, int, int], ...]:
        # Kubernetes swaps a link, so the time of the file behind it is what changes.
        files = [self.path / name for name in ("tls.crt", "tls.key", "ca.crt")]
        found = [(file.name, file.stat()) for file in files if file.is_file()]
        return tuple((name, stat.st_mtime_ns, stat.st_ino) for name, stat in found)
