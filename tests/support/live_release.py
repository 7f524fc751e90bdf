"""The release that tests of a real cluster install: of this chart, or of the chart as it was before it had met one."""

import tarfile
from pathlib import Path
from typing import Any

import yaml
from manifests.rendering.chart import CHART, merged, profile_values

from tests.support.live_cluster import Space

RELEASE = "r"
BEFORE = Path(__file__).parents[1] / "cluster" / "live" / "before.tgz"
"""By `helm package`."""
NOWHERE: dict[str, Any] = {
    name: {"nodeSelector": {"rdiverse.dev/test": "nowhere"}} for name in ("coder", "encoder", "policy", "trainer", "diversity")
}
"""No node takes these pods, so that a test can play the kubelet."""


def set_values(folder: Path, profile: str, chart: Path = CHART, **changes: Any) -> list[str]:
    """`--values` of a profile of a chart, written into `folder`."""
    own = yaml.safe_load((chart / f"values-{profile}.yaml").read_text())
    ours = profile_values(profile)
    image = own.get("image", {}) | {"prefix": ours["image"]["prefix"]}
    path = folder / "values.yaml"
    path.write_text(yaml.safe_dump(merged(merged({"milvus": ours["milvus"]} | own | {"image": image}, NOWHERE), changes)))
    return ["--values", str(path)]


def unpacked_before(folder: Path) -> Path:
    """The chart before, as a folder."""
    with tarfile.open(BEFORE) as archive:
        archive.extractall(folder, filter="data")
    return folder / "rdiverse"


def install_before(space: Space, folder: Path, profile: str) -> None:
    """Install the chart before."""
    space.helm("install", RELEASE, str(BEFORE), *set_values(folder, profile, unpacked_before(folder)))


def ready(space: Space, server: str) -> str:
    """Status of the condition Ready of a server's InferenceService; "" when it has none yet."""
    found = space.there("inferenceservices", f"{RELEASE}-{server}")
    conditions = found.get("status", {}).get("conditions", [])
    return next((each["status"] for each in conditions if each["type"] == "Ready"), "")
