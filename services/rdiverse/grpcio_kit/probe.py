"""Asks a server over TLS whether it is well: `python -m rdiverse.grpcio_kit.probe`. The kubelet's own gRPC probe speaks no TLS.

Ends with status 0 when the health service says SERVING, else 1.
"""

import argparse
import sys
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from rdiverse.grpcio_kit.channels import channel
from rdiverse.grpcio_kit.tls import TlsFolder

SECONDS = 4.0


def serving(address: str, service: str, name: str, tls: TlsFolder) -> bool:
    """Whether `service` of the server at `address` is SERVING; `name` is one of its certificate's names.

    Raises OSError when a certificate file is missing.
    """
    with channel(address, tls, name) as opened:
        try:
            stub: Any = health_pb2_grpc.HealthStub(opened)
            found = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=SECONDS)
        except grpc.RpcError as error:
            print(f"{address}: {error}", file=sys.stderr)  # noqa: T201  the kubelet shows it in the pod's events
            return False
    return bool(found.status == health_pb2.HealthCheckResponse.SERVING)


def main() -> int:
    """The command line. Certificates are those of RDIVERSE_TLS_DIR."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("--service", default="")
    parser.add_argument("--name", required=True)
    arguments = parser.parse_args()
    tls = TlsFolder.from_environment()
    if tls is None:
        parser.error("RDIVERSE_TLS_DIR is not set")
    return 0 if serving(arguments.address, arguments.service, arguments.name, tls) else 1


if __name__ == "__main__":
    sys.exit(main())
