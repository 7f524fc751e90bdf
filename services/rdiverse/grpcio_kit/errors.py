"""The one error hierarchy of the servers, and how an error looks on the wire."""

from collections.abc import Mapping

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

from rdiverse.v1.errors_pb2 import ErrorReason

DOMAIN = "rdiverse"
_PREFIX = "ERROR_REASON_"


class ServiceError(Exception):
    """What a servicer raises for an error that the caller is to understand. Anything else becomes INTERNAL without its text."""

    def __init__(
        self,
        status: grpc.StatusCode,
        reason: ErrorReason.ValueType,
        message: str,
        *,
        field: str = "",
        fault: str = "",
        retry_seconds: float | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """`fault`: what is wrong with `field`, a dotted path in the request, as in `prompts[3].user`."""
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.violations = [error_details_pb2.BadRequest.FieldViolation(field=field, description=fault)] if field else []
        self.retry_seconds = retry_seconds
        self.metadata = dict(metadata or {})

    def to_status(self) -> Status:
        """google.rpc.Status with an ErrorInfo, and BadRequest and RetryInfo where there is something to say."""
        info = error_details_pb2.ErrorInfo(reason=reason_name(self.reason), domain=DOMAIN, metadata=self.metadata)
        packed = [_packed(info)]
        if self.violations:
            packed.append(_packed(error_details_pb2.BadRequest(field_violations=self.violations)))
        if self.retry_seconds is not None:
            delay = Duration()
            delay.FromNanoseconds(int(self.retry_seconds * 1e9))
            packed.append(_packed(error_details_pb2.RetryInfo(retry_delay=delay)))
        return Status(code=self.status.value[0], message=self.message, details=packed)


class InvalidFieldError(ServiceError):
    """A field breaks the rule in its proto comment. `message` says what must hold, as in "must be 1 to 10, not 11"."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(
            grpc.StatusCode.INVALID_ARGUMENT, ErrorReason.ERROR_REASON_INVALID_FIELD, f"{field}: {message}",
            field=field, fault=message,
        )  # fmt: skip


class UndecodableError(ServiceError):
    """The bytes received are no message of the method's type."""

    def __init__(self, message_type: str) -> None:
        super().__init__(
            grpc.StatusCode.INVALID_ARGUMENT,
            ErrorReason.ERROR_REASON_UNDECODABLE,
            f"the bytes cannot be read as a {message_type} message",
        )


class WrongWeightsError(ServiceError):
    """The server holds other weights than the caller expects."""

    def __init__(self, expected: str, present: str) -> None:
        super().__init__(
            grpc.StatusCode.FAILED_PRECONDITION, ErrorReason.ERROR_REASON_WRONG_WEIGHTS,
            f"expected weights {expected!r}, this server holds {present!r}", metadata={"weights": present},
        )  # fmt: skip


class UnknownModelError(ServiceError):
    """The server has no model of this name, or none that can do what is asked."""

    def __init__(self, message: str) -> None:
        super().__init__(grpc.StatusCode.NOT_FOUND, ErrorReason.ERROR_REASON_UNKNOWN_MODEL, message)


class BadCheckpointError(ServiceError):
    """A checkpoint cannot be loaded; the server goes on with the weights it holds."""

    def __init__(self, message: str, present: str) -> None:
        super().__init__(
            grpc.StatusCode.FAILED_PRECONDITION, ErrorReason.ERROR_REASON_BAD_CHECKPOINT, message,
            metadata={"weights": present},
        )  # fmt: skip


class OverloadedError(ServiceError):
    """A limit on concurrent work is reached; the caller may come back."""

    def __init__(self, message: str, retry_seconds: float = 1.0) -> None:
        super().__init__(
            grpc.StatusCode.RESOURCE_EXHAUSTED, ErrorReason.ERROR_REASON_OVERLOADED, message, retry_seconds=retry_seconds
        )


class DependencyUnavailableError(ServiceError):
    """A service that this one needs does not answer."""

    def __init__(self, dependency: str, message: str) -> None:
        super().__init__(
            grpc.StatusCode.UNAVAILABLE, ErrorReason.ERROR_REASON_DEPENDENCY_UNAVAILABLE, f"{dependency}: {message}",
            metadata={"dependency": dependency}, retry_seconds=1.0,
        )  # fmt: skip


class DrainingError(ServiceError):
    """The server has begun to stop."""

    def __init__(self) -> None:
        super().__init__(grpc.StatusCode.UNAVAILABLE, ErrorReason.ERROR_REASON_DRAINING, "the server is stopping")


class InternalError(ServiceError):
    """A fault of the server. The incident number leads from the caller's error to the server's log, and is all that leaves."""

    def __init__(self, incident: str) -> None:
        super().__init__(
            grpc.StatusCode.INTERNAL, ErrorReason.ERROR_REASON_INTERNAL, f"internal error, incident {incident}",
            metadata={"incident": incident},
        )  # fmt: skip


def reason_name(reason: ErrorReason.ValueType) -> str:
    """The `reason` of ErrorInfo: the enum's name without its prefix, as in INVALID_FIELD."""
    return ErrorReason.Name(reason).removeprefix(_PREFIX)


def _packed(message: object) -> Any:
    packed = Any()
    packed.Pack(message)  # type: ignore[arg-type]
    return packed
