"""What a call to the Kubernetes API can end with, and whether asking again may help. Imports its client late."""

import contextlib

import yaml


def connection_errors() -> tuple[type[BaseException], ...]:
    """No answer at all."""
    from urllib3.exceptions import HTTPError

    return HTTPError, OSError


def api_errors() -> tuple[type[BaseException], ...]:
    """An answer that is an error, or none."""
    from kubernetes.client.exceptions import ApiException

    return ApiException, *connection_errors()


def is_transient(error: BaseException) -> bool:
    """Whether asking again may help: no answer, a server that restarts, a history that it has forgotten (410)."""
    status = getattr(error, "status", None)
    return status is None or status in {0, 410, 429} or status >= 500


def error_message(error: BaseException) -> str:
    """What the API server said, or why nothing was heard."""
    body = getattr(error, "body", None)
    if body:
        with contextlib.suppress(ValueError, TypeError, KeyError, yaml.YAMLError):
            return str(yaml.safe_load(body)["message"])
    return " ".join(str(error).split()) or type(error).__name__
