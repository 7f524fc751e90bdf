"""The suite for a real cluster: `make test-cluster`. Refused unless RDIVERSE_TEST_CLUSTER names kubectl's context."""

import os

import pytest
from tests.support.live_cluster import current_context

VARIABLE = "RDIVERSE_TEST_CLUSTER"


def pytest_configure() -> None:
    named, current = os.environ.get(VARIABLE, ""), current_context()
    if not named or named != current:
        raise pytest.UsageError(
            f"these tests make and delete namespaces in a real cluster: set {VARIABLE} to the name of its kubectl context"
            f" (set: {named or 'nothing'}; the current context: {current or 'none'})"
        )
