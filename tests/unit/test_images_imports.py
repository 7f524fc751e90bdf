"""An image has what its entry points import, now or later: found in the import graph, not by waiting for an error."""

import sys
from functools import cache
from importlib.metadata import packages_distributions

import grimp
import pytest
from packaging.utils import canonicalize_name
from tests.support.images import lock_tool

TOOL = lock_tool()
OWN = ("rdiverse", "rdiverse_pipelines")
GRADING = ("rdiverse.grading.worker", "rdiverse.grading.precise", "rdiverse.grading.symbolic")
"""The pool's process is started by name, and loads the others by name."""
STEPS = tuple(f"rdiverse_pipelines.{name}" for name in ("components", "steps", "cluster", "remote", "dag"))
ENTRY_POINTS = {
    "inference": ("rdiverse.inference.server", "rdiverse.inference.engines.vllm_process", *GRADING),
    "diversity": ("rdiverse.diversity.server.process", "rdiverse.diversity.memory.milvus_lite", "rdiverse.diversity.commands"),
    "training": ("rdiverse.training.worker", *GRADING),
    "pipelines": ("rdiverse.nano.oracle", *GRADING),
}
NOT_BY_IMAGE = {"inference-cpu": {"vllm"}}
"""The transformers engine serves there; asking for vLLM is refused with an error that names it."""
DISTRIBUTIONS = {name: {canonicalize_name(each) for each in found} for name, found in packages_distributions().items()}


@cache
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(*OWN, include_external_packages=True, exclude_type_checking_imports=True, cache_dir=None)


def imported(entry_points: tuple[str, ...]) -> dict[str, str]:
    """Package of somebody else -> one of our modules that imports it, from all that these modules reach."""
    seen: set[str] = set()
    others: dict[str, str] = {}
    todo = list(entry_points)
    while todo:
        module = todo.pop()
        if module in seen:
            continue
        seen.add(module)
        # Importing a module imports the packages that it stands in.
        todo += [module.rpartition(".")[0]] if "." in module else []
        for each in graph().find_modules_directly_imported_by(module):
            if each.split(".")[0] in OWN:
                todo.append(each)
            elif each not in sys.stdlib_module_names:
                others.setdefault(each, module)
    return others


@pytest.mark.parametrize("image", TOOL.images())
def test_an_image_has_everything_that_its_entry_points_import(image):
    kind = image.removesuffix("-cpu")
    entry_points = ENTRY_POINTS[kind]
    if kind == "pipelines":
        entry_points += tuple(module for module in graph().modules if module.startswith(STEPS))
    locked = set(TOOL.pins((TOOL.FOLDER / f"{image}.txt").read_text()))
    if image.endswith("-cpu"):
        locked.add("torch")
    missing = {
        package: module
        for package, module in imported(entry_points).items()
        if not DISTRIBUTIONS.get(package, {package}) & locked and package not in NOT_BY_IMAGE.get(image, ())
    }
    assert not missing, f"the extras {TOOL.images()[image]['extras']} lack what these modules import: {missing}"
