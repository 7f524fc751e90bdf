"""Where each file of a run stands."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunFolder:
    """`<workspace>/runs/<run id>/`."""

    root: Path

    @classmethod
    def of(cls, workspace: Path, run_id: str) -> "RunFolder":
        """The folder of a run in a workspace."""
        return cls(workspace.resolve() / "runs" / run_id)

    @property
    def run_id(self) -> str:
        """The run's name, which is also the name of its memory."""
        return self.root.name

    @property
    def config(self) -> Path:
        """The resolved configuration."""
        return self.root / "config.yaml"

    @property
    def lock(self) -> Path:
        """Held by the one command that works in this folder."""
        return self.root / "lock"

    @property
    def events(self) -> Path:
        """Progress, one JSON object a line."""
        return self.root / "events.jsonl"

    @property
    def metrics(self) -> Path:
        """Figures of every training step, one JSON object a line."""
        return self.root / "metrics.jsonl"

    @property
    def summary(self) -> Path:
        """The figures of every iteration."""
        return self.root / "summary.json"

    @property
    def report(self) -> Path:
        """The page that shows them."""
        return self.root / "report.html"

    @property
    def logs(self) -> Path:
        """What each process printed."""
        return self.root / "logs"

    @property
    def memory(self) -> Path:
        """Milvus Lite's data."""
        return self.root / "memory"

    def iteration(self, t: int) -> Path:
        """Tables and figures of one iteration (0: the base model)."""
        return self.root / f"iteration-{t:02d}"

    def weights(self, t: int, role: str) -> Path:
        """The published checkpoint that phase `role` of iteration `t` ended with."""
        return self.root / "checkpoints" / f"iteration-{t:02d}" / role

    def resume(self, t: int, role: str) -> Path:
        """Resume checkpoints of a phase that has not ended."""
        return self.root / "checkpoints" / f"iteration-{t:02d}" / f"{role}.resume"

    def manifest(self, t: int, step: str) -> Path:
        """What a finished step read and wrote."""
        return self.root / "manifests" / f"iteration-{t:02d}" / f"{step}.json"
