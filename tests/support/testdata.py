"""Public data that tests read and the repository does not hold: test sets and CustomResourceDefinitions.

It lies below the folder that RDIVERSE_TESTDATA names, or below build/testdata, which `make testdata` fills.
"""

import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(os.environ.get("RDIVERSE_TESTDATA") or Path(__file__).parents[2] / "build" / "testdata")
HINT = "run `make testdata` or set RDIVERSE_TESTDATA"


def data(name: str) -> Path:
    """A file or folder of the test data, such as "benchmarks/gsm8k.jsonl". Skips the test where it is absent."""
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"{name} is not below {FOLDER}: {HINT}")
    return path


def crds(pattern: str) -> dict[str, dict[str, Any]]:
    """{file name: OpenAPI schema of the stored version}, one for each release that is supported. Skips where there is none."""
    found = sorted(data("crds").glob(pattern))
    if not found:
        pytest.skip(f"crds/{pattern} is not below {FOLDER}: {HINT}")
    return {path.name: _schema(path) for path in found}


@cache
def _schema(path: Path) -> dict[str, Any]:
    versions = yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)["spec"]["versions"]
    [schema] = [each["schema"]["openAPIV3Schema"] for each in versions if each["storage"]]
    return schema
