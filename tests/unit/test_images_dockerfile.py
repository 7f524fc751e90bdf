"""What can be said of the images without building them."""

import re
import subprocess
import sysconfig
from pathlib import Path

import pytest
from tests.support.images import DOCKERFILE, ROOT, ancestry, lock_tool, stages

IMAGES = list(lock_tool().images())
BUILD_TOOLS = re.compile(r"\b(gcc|g\+\+|make|build-essential|libc6-dev|cmake|git)\b")
COMPILER_AT_RUN_TIME = {"inference"}
"""Triton compiles when a kernel is first used."""


def test_hadolint_finds_nothing():
    hadolint = Path(sysconfig.get_path("scripts")) / "hadolint"
    done = subprocess.run([hadolint, "--no-color", DOCKERFILE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_image_has_a_target_of_its_name():
    assert set(IMAGES) <= set(stages())


def test_every_base_is_named_by_digest_and_its_absence_is_refused():
    bases = {stage.base for stage in stages().values()} - set(stages())
    assert len(bases) == 1
    stand_in = re.fullmatch(r"\$\{PYTHON_IMAGE\}@\$\{PYTHON_DIGEST:-(\S+)\}", bases.pop())
    assert stand_in
    assert not re.fullmatch(r"\w+:[0-9a-f]+", stand_in[1]), "no reference: builders refuse it, and show what it says"
    before_stages = DOCKERFILE.read_text().partition("\nFROM ")[0]
    assert re.search(r"^ARG PYTHON_DIGEST$", before_stages, re.MULTILINE), "a digest as default would grow old unseen"


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_runs_as_nobody_and_starts_rdiverse(image):
    stage = stages()[image]
    assert stage.all("USER") == ["65532:65532"]
    assert stage.all("ENTRYPOINT") == ['["rdiverse"]']
    after_user = [name for name, _ in stage.instructions[[name for name, _ in stage.instructions].index("USER") :]]
    assert not {"RUN", "COPY", "ADD"} & set(after_user), "what the image's user made, it could change"


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_writes_only_where_a_read_only_root_allows_it(image):
    settings = dict(
        pair.split("=", 1)
        for stage in reversed(ancestry(image))
        for line in stage.all("ENV")
        for pair in line.split()
        if "=" in pair
    )
    places = {name: value for name, value in settings.items() if value.startswith("/") and name != "PATH"}
    assert places.keys() >= {"HOME", "XDG_CACHE_HOME", "HF_HOME"}
    assert all(value == "/tmp" or value.startswith(("/tmp/", "/workspace/")) for value in places.values()), places
    assert settings["PYTHONDONTWRITEBYTECODE"] == "1"


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_is_its_own_lock_and_our_wheel_and_nothing_else(image):
    copies = stages()[image].all("COPY")
    assert copies == [f"--from={image}-environment /opt/rdiverse /opt/rdiverse"]
    runs = [run for stage in ancestry(f"{image}-environment") for run in stage.all("RUN") if "pip install" in run]
    assert all("--no-deps" in run for run in runs)
    assert [run for run in runs if f"--require-hashes --requirement {image}.txt" in run]
    assert bool([run for run in runs if "torch-cpu.txt" in run]) == image.endswith("-cpu")


@pytest.mark.parametrize("image", IMAGES)
def test_no_build_tools_in_the_image(image):
    runs = " ".join(run for stage in ancestry(image) for run in stage.all("RUN"))
    assert re.search(r"pip uninstall .*\bpip\b", runs)
    assert bool(BUILD_TOOLS.search(runs)) == (image in COMPILER_AT_RUN_TIME)


def test_what_is_copied_is_there_and_not_ignored():
    seen = [line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for stage in stages().values():
        for copy in stage.all("COPY"):
            if copy.startswith("--from="):
                continue
            for source in copy.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert any(Path(source).match(pattern) for pattern in seen), f"{source} is hidden by .dockerignore"


def test_the_builder_sees_nothing_but_sources():
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*", "only what is named is sent: no environment, no run, no key that lies about"
