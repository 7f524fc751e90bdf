"""A Milvus Lite server for the tests of one module."""

import pytest
from tests.support.diversity_servers import Lite, running


@pytest.fixture(scope="module")
def lite(tmp_path_factory):
    server = Lite(tmp_path_factory.mktemp("lite"))
    with running(server):
        yield server
