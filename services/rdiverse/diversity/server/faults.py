"""What goes wrong inside, as errors that callers understand."""

from collections.abc import Iterator
from contextlib import contextmanager

import grpc

from rdiverse.diversity.memory.ledger import (
    DigestMismatchError,
    IncompatibleError,
    OutOfOrderError,
    StaleRevisionError,
    UnknownRunError,
)
from rdiverse.diversity.memory.protocol import MemoryUnavailableError, NotTheWriterError
from rdiverse.diversity.scoring.embedding import ItemError
from rdiverse.grpcio_kit.errors import DependencyUnavailableError, InvalidFieldError, ServiceError
from rdiverse.v1.errors_pb2 import ErrorReason

_STATES: dict[type[Exception], tuple[grpc.StatusCode, ErrorReason.ValueType]] = {
    UnknownRunError: (grpc.StatusCode.NOT_FOUND, ErrorReason.ERROR_REASON_UNKNOWN_RUN),
    OutOfOrderError: (grpc.StatusCode.FAILED_PRECONDITION, ErrorReason.ERROR_REASON_ITERATION_OUT_OF_ORDER),
    DigestMismatchError: (grpc.StatusCode.ALREADY_EXISTS, ErrorReason.ERROR_REASON_DIGEST_MISMATCH),
    IncompatibleError: (grpc.StatusCode.FAILED_PRECONDITION, ErrorReason.ERROR_REASON_INCOMPATIBLE_MEMORY),
    StaleRevisionError: (grpc.StatusCode.FAILED_PRECONDITION, ErrorReason.ERROR_REASON_STALE_REVISION),
}
"""States of a run's memory that do not allow a call."""


@contextmanager
def translated(only_item: str = "") -> Iterator[None]:
    """Turn the errors of scoring and memory into ServiceErrors. `only_item`: the request's field, where it has one item."""
    try:
        yield
    except MemoryUnavailableError as error:
        raise DependencyUnavailableError("milvus", str(error)) from error
    except NotTheWriterError as error:
        raise DependencyUnavailableError("writer", str(error)) from error
    except ItemError as error:
        field = only_item or f"items[{error.index}]"
        raise InvalidFieldError(f"{field}.{error.part}" if error.part else field, error.message) from error
    except tuple(_STATES) as error:
        status, reason = _STATES[type(error)]
        raise ServiceError(status, reason, str(error)) from error
