"""The setting of a run: its configuration, and what stands behind the names in it."""

from rdiverse.config import RunConfig
from rdiverse.evaluation import load_benchmark
from rdiverse.lm.weights import validate
from rdiverse.report.comparison.setting import Setting
from rdiverse_pipelines.steps.prepare import resolve_model


def setting_of(config: RunConfig) -> Setting:
    """Look at the models and benchmarks that a configuration names.

    Raises CheckpointError, BenchmarkError, OSError or ValueError for one that is not there.
    """
    files = {"model": validate(resolve_model(config.model)), "coder.model": validate(resolve_model(config.coder.model))}
    files |= {f"evaluation.benchmarks.{each.name}": load_benchmark(each).digest[:16] for each in config.evaluation.benchmarks}
    return Setting.of(config, files)
