"""The setting of a run: its configuration, and what stands behind the names in it."""

from rdiverse.config import RunConfig
from rdiverse.evaluation import load_benchmark
from rdiverse.lm.folders import model_folder
from rdiverse.lm.weights import validate
from rdiverse.report.comparison.setting import Setting


def setting_of(config: RunConfig) -> Setting:
    """Look at the models and benchmarks that a configuration names.

    Raises CheckpointError, BenchmarkError, OSError or ValueError for one that is not there.
    """
    files = {"model": validate(model_folder(config.model)), "coder.model": validate(model_folder(config.coder.model))}
    files |= {f"evaluation.benchmarks.{each.name}": load_benchmark(each).digest[:16] for each in config.evaluation.benchmarks}
    return Setting.of(config, files)
