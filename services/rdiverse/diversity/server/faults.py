"""What goes wrong inside, as errors that callers understand."""

from collections.abc import Iterator
from contextlib import contextmanager

import grpc

from rdiverse.diversity.memory.ledger import DigestMismatchError, IncompatibleError, OutOfOrderError, UnknownRunError
from rdiverse.diversity.memory.protocol import MemoryUnavailableError, NotTheWriterError
from rdiverse.grpcio_kit.errors import DependencyUnavailableError, ServiceError
from rdiverse.v1.errors_pb2 import ErrorReason


@contextmanager
def translated() -> Iterator[None]:
    """Turn the errors of the memory into ServiceErrors."""
    try:
        yield
    except MemoryUnavailableError as error:
        raise DependencyUnavailableError("milvus", str(error)) from error
    except NotTheWriterError as error:
        raise DependencyUnavailableError("writer", str(error)) from error
    except UnknownRunError as error:
        raise unknown_run(str(error.args[0])) from error
    except OutOfOrderError as error:
        raise ServiceError(
            grpc.StatusCode.FAILED_PRECONDITION, ErrorReason.ERROR_REASON_ITERATION_OUT_OF_ORDER, str(error)
        ) from error
    except DigestMismatchError as error:
        raise ServiceError(grpc.StatusCode.ALREADY_EXISTS, ErrorReason.ERROR_REASON_DIGEST_MISMATCH, str(error)) from error
    except IncompatibleError as error:
        raise ServiceError(
            grpc.StatusCode.FAILED_PRECONDITION, ErrorReason.ERROR_REASON_INCOMPATIBLE_MEMORY, str(error)
        ) from error


def unknown_run(run: str) -> ServiceError:
    """There is no memory under this run."""
    return ServiceError(grpc.StatusCode.NOT_FOUND, ErrorReason.ERROR_REASON_UNKNOWN_RUN, f"run {run} has no memory")
