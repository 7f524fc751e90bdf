"""A run on a cluster that is none: its folder, its release's settings, its deployment target."""

import socket
from pathlib import Path
from typing import Any

import yaml

from rdiverse.runs.folder import RunFolder
from rdiverse_pipelines.cluster.api import Api
from rdiverse_pipelines.cluster.objects import RunObjects
from rdiverse_pipelines.cluster.settings import ReleaseSettings
from rdiverse_pipelines.cluster.target import ClusterTarget
from tests.support.cluster_api import Release

RELEASE = Path(__file__).parent / "cluster_release"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_settings(folder: Path, workspace: Path, **changes: Any) -> Path:
    """The ConfigMap as it is mounted; gives the path of cluster.yaml."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in RELEASE.iterdir():
        text = path.read_text().replace("WORKSPACE", str(workspace))
        (folder / path.name).write_text(text)
    cluster = folder / "cluster.yaml"
    cluster.write_text(yaml.safe_dump(yaml.safe_load(cluster.read_text()) | changes))
    return cluster


def target(url: str, tmp_path: Path, run: str = "one", **changes: Any) -> ClusterTarget:
    """The deployment target of a run, before the API at `url`."""
    from kubernetes.client import Configuration

    configuration = Configuration()
    configuration.host = url
    configuration.retries = False
    cluster = write_settings(tmp_path / "settings", tmp_path / "workspace", **changes)
    folder = RunFolder.of(tmp_path / "workspace", run)
    folder.root.mkdir(parents=True, exist_ok=True)
    return ClusterTarget(RunObjects(ReleaseSettings.read(cluster), folder), Api("ns", configuration, gone_seconds=5))


def coder(replicas: int = 1) -> dict[str, Any]:
    """The release's own coder, as the chart makes it."""
    labels = {"app.kubernetes.io/name": "rdiverse", "app.kubernetes.io/instance": "r", "app.kubernetes.io/component": "coder"}
    return {
        "metadata": {"name": "r-coder", "labels": dict(labels)},
        "spec": {
            "predictor": {
                "labels": labels,
                "minReplicas": replicas,
                "maxReplicas": replicas,
                "containers": [{"name": "kserve-container", "args": ["serve", "coder"]}],
            }
        },
    }


def with_coder() -> Release:
    release = Release()
    release.put(coder())
    return release
