"""The protos against the image of the last release: what clients rely on cannot go unseen."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUF = shutil.which("buf", path=f"{ROOT / 'build' / 'node' / 'node_modules' / '.bin'}{os.pathsep}{os.environ['PATH']}")
pytestmark = pytest.mark.skipif(BUF is None, reason="buf is not installed; `make wire` does that")


@pytest.fixture
def proto(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "proto", tmp_path / "proto"))


def breaking(proto: Path) -> tuple[int, str]:
    command = [str(BUF), "breaking", "--against", "baseline.binpb"]
    done = subprocess.run(command, cwd=proto, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout + done.stderr


def change(path: Path, before: str, after: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(before) == 1
    path.write_text(text.replace(before, after), encoding="utf-8")


def test_the_protos_break_nobody(proto: Path) -> None:
    assert breaking(proto) == (0, "")


def test_a_new_field_breaks_nobody(proto: Path) -> None:
    change(proto / "rdiverse/v1/challenger.proto", "int64 first_index = 2;", "int64 first_index = 2;\n  string added = 99;")
    assert breaking(proto) == (0, "")


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("  int64 first_index = 2;\n", "", 'Previously present field "2" with name "first_index" on message'),
        ("  int64 first_index = 2;\n", "  int64 first = 2;\n", 'changed name from "first_index" to "first"'),
        ("  int64 first_index = 2;\n", "  string first_index = 2;\n", 'changed type from "int64" to "string"'),
        ("rpc Propose(", "rpc Write(", 'Previously present RPC "Propose" on service "ChallengerService" was deleted'),
    ],
    ids=["field deleted", "field renamed", "type changed", "call renamed"],
)  # fmt: skip
def test_what_breaks_a_client_is_seen(proto: Path, before: str, after: str, complaint: str) -> None:
    change(proto / "rdiverse/v1/challenger.proto", before, after)
    status, said = breaking(proto)
    assert status != 0
    assert complaint in said
