"""The child process in which Kubeflow's local runner goes through the pipeline's steps."""

import sys
from pathlib import Path

from rdiverse.config import load_config
from rdiverse.runs.folder import RunFolder
from rdiverse.runs.lifeline import watch_lifeline


def main(root: str) -> None:
    """Run the pipeline of a prepared run. Raises what the local runner raises when a step fails."""
    watch_lifeline()
    from kfp import local

    from rdiverse_pipelines.dag import build_pipeline
    from rdiverse_pipelines.iterations import pipeline_iterations

    folder = RunFolder(Path(root))
    config = load_config(folder.config)
    local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=str(folder.root / "kfp"), raise_on_error=True)
    build_pipeline(pipeline_iterations(config), retries=False)(config=folder.config.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main(sys.argv[1])
