"""What tests of the images share: the tool that locks their dependencies, and the Dockerfile in parts."""

import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "services" / "Dockerfile"


def lock_tool() -> ModuleType:
    """services/requirements/lock.py as a module."""
    path = ROOT / "services" / "requirements" / "lock.py"
    spec = importlib.util.spec_from_file_location("rdiverse_lock", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Stage:
    """A stage of the Dockerfile: its instructions in order, as (name, arguments)."""

    name: str
    base: str
    instructions: tuple[tuple[str, str], ...]

    def all(self, name: str) -> list[str]:
        return [arguments for each, arguments in self.instructions if each == name]


def stages() -> dict[str, Stage]:
    """The Dockerfile's stages by name."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = [line.strip() for line in re.sub(r"\\\n\s*", " ", text).splitlines() if line.strip()]
    found: dict[str, Stage] = {}
    begins = [number for number, line in enumerate(lines) if line.startswith("FROM ")]
    for begin, end in zip(begins, [*begins[1:], len(lines)], strict=True):
        _, base, _, name = lines[begin].split()
        instructions = tuple((word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines[begin + 1 : end]))
        found[name] = Stage(name, base, instructions)
    return found


def ancestry(name: str) -> list[Stage]:
    """A stage and those that it is built on, the nearest first."""
    all_stages = stages()
    line = [all_stages[name]]
    while line[-1].base in all_stages:
        line.append(all_stages[line[-1].base])
    return line
