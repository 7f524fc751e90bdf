"""An override that a command does not read is refused; what a command reads is what its code reads."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.local_run import LOCAL

import rdiverse
from rdiverse.config import ConfigError
from rdiverse.config.overrides import EVERYTHING, READ_BY, check_overrides
from rdiverse.selfplay.roles import POLICY_ROLES, Role

PACKAGE = Path(rdiverse.__file__).parent


def fields_in(*folders: str) -> set[str]:
    """Top-level fields of the configuration that the code of these folders names."""
    names = "|".join(sorted(EVERYTHING))
    files = [path for folder in folders for path in (PACKAGE / folder).rglob("*.py")]
    return {field for path in files for field in re.findall(rf"\bconfig\.({names})\b", path.read_text())}


def test_what_the_servers_read_is_what_their_code_reads() -> None:
    assert set().union(*(READ_BY[f"serve {role}"] for role in Role)) == fields_in("inference")
    assert READ_BY["serve diversity"] == fields_in("diversity")


def test_what_the_trainers_read_is_what_their_code_reads() -> None:
    # The model and the seed come by the phase, which the command makes of the configuration.
    assert set().union(*(READ_BY[f"train {role}"] for role in POLICY_ROLES)) == fields_in("training") | {"model", "seed"}


@pytest.mark.parametrize("command", READ_BY)
def test_a_command_takes_what_it_reads_and_nothing_else(command: str) -> None:
    read = READ_BY[command]
    check_overrides(command, [f"{field}.any=1" for field in read] + ["nonsense=1"])
    for field in EVERYTHING - read:
        with pytest.raises(
            ConfigError, match=rf"^override '{field}\.any=1': `rdiverse {command}` does not read {field}; it reads "
        ):
            check_overrides(command, [f"{field}.any=1"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("serve", "encoder", "challenger.sampling.top_p=.5"),
            "challenger.sampling.top_p=.5': `rdiverse serve encoder` does not read challenger; it reads encoder, inference\n",
        ),
        (
            ("train", "solver", "--output", "o", "challenger.pool=8"),
            "`rdiverse train solver` does not read challenger;",
        ),
        (("compare", "--output", "o", "--methods", "r-zero", "seed=3"), "`rdiverse compare` does not read seed; it reads"),
    ],
)
def test_the_command_line_refuses(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "rdiverse.cli", *arguments, "--config", str(LOCAL)]
    refused = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=60)
    assert refused.returncode == 2, refused.stderr
    assert said in refused.stderr
    assert not list(tmp_path.iterdir())
