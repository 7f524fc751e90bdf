"""The locks of the images say what pyproject.toml and constraints.txt say. Checked without asking a package index."""

import re

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tests.support.images import ROOT, lock_tool

TOOL = lock_tool()
IMAGES = list(TOOL.images())
ENVIRONMENT = default_environment() | {
    "python_version": "3.11", "python_full_version": "3.11.0", "sys_platform": "linux", "platform_machine": "x86_64",
    "platform_system": "Linux", "os_name": "posix", "extra": "",
    "platform_python_implementation": "CPython", "implementation_name": "cpython",
}  # fmt: skip
WITHOUT_CUDA = [image for image in IMAGES if not TOOL.images()[image].get("cuda")]


def lock(image: str) -> str:
    return (TOOL.FOLDER / f"{image}.txt").read_text(encoding="utf-8")


def versions(image: str) -> dict[str, str]:
    """Package -> version in an image, torch's included."""
    found = {name: block.split()[0].partition("==")[2] for name, block in TOOL.pins(lock(image)).items()}
    if image.endswith("-cpu"):
        found["torch"] = TOOL.pins(TOOL.TORCH_CPU.read_text())["torch"].split()[0].partition("==")[2]
    return found


def wanted(image: str) -> list[Requirement]:
    requirements = [Requirement(text) for text in TOOL.requirements(image)]
    return [each for each in requirements if each.marker is None or each.marker.evaluate(ENVIRONMENT)]


def constraints() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    parsed = [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]
    return {
        canonicalize_name(each.name): str(each.specifier).removeprefix("==")
        for each in parsed
        if each.marker is None or each.marker.evaluate(ENVIRONMENT)
    }


@pytest.mark.parametrize("image", [*IMAGES, TOOL.BUILD])
def test_a_lock_was_made_from_what_is_asked_for_today(image):
    assert lock(image).startswith(TOOL.header(image)), f"{image}.txt is stale: run `make locks` and commit"


@pytest.mark.parametrize("image", [*IMAGES, TOOL.BUILD])
def test_every_requirement_has_a_version_within_its_range(image):
    pinned = versions(image)
    for requirement in wanted(image):
        name = canonicalize_name(requirement.name)
        assert name in pinned, f"{image}.txt lacks {name}"
        assert requirement.specifier.contains(pinned[name], prereleases=True), (
            f"{image}.txt: {name} {pinned[name]}: {requirement}"
        )


@pytest.mark.parametrize("image", IMAGES)
def test_images_have_the_versions_that_were_tested(image):
    tested, free = constraints(), TOOL.images()[image].get("unconstrained", [])
    other = {name: version for name, version in versions(image).items() if tested.get(name, version) != version}
    assert sorted(other) == sorted(free), "an image differs from constraints.txt in just what images.toml says"


@pytest.mark.parametrize("image", [*IMAGES, TOOL.BUILD])
def test_every_file_is_known_by_its_digest(image):
    for name, block in TOOL.pins(lock(image)).items():
        assert re.match(rf"{re.escape(name)}==\S+ \\\n", block), block
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), f"{image}.txt: {name} has no digest"


@pytest.mark.parametrize("image", WITHOUT_CUDA)
def test_images_without_a_gpu_carry_nothing_for_one(image):
    assert not [name for name in TOOL.pins(lock(image)) if TOOL.ONLY_FOR_GPUS.match(name)]


def test_locks_name_no_place():
    for path in TOOL.FOLDER.glob("*.txt"):
        assert not re.search(r"://|find-links|index-url", path.read_text()), f"{path.name} names an index or a folder"
