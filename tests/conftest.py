"""Rules for all tests: what a skip means, and what Hypothesis may complain of."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

STRICT = os.environ.get("RDIVERSE_STRICT") == "1"
"""A skip is a failure: set where everything that the tests can use is there, so that nothing goes unseen."""

ALLOWED: dict[str, str] = {
    "tests/contract/inference_vllm_suite.py::TestVllmEngine::test_noise_belongs_to_the_sample_not_to_the_request": (
        "vLLM draws its noise by itself; the promise is the transformers engine's"
    ),
}
"""Beginning of a test's id -> why it skips under RDIVERSE_STRICT too."""

# How long drawing or running an example takes tells how busy the machine is: two loaded cores failed good tests.
settings.register_profile("rdiverse", suppress_health_check=[HealthCheck.too_slow], deadline=None)
settings.load_profile("rdiverse")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    expected = hasattr(report, "wasxfail")
    if STRICT and report.skipped and not expected and not item.nodeid.startswith(tuple(ALLOWED)):
        report.outcome = "failed"
        report.longrepr = f"skipped under RDIVERSE_STRICT without being listed in tests/conftest.py: {report.longrepr}"
    return report


LIVE = Path(__file__).parent / "cluster" / "live"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Tests for a real cluster are run where somebody names them, and nowhere else."""
    if collection_path != LIVE:
        return None
    named = [Path(config.invocation_params.dir, argument.partition("::")[0]).resolve() for argument in config.args]
    return None if any(path.is_relative_to(LIVE) for path in named) else True
