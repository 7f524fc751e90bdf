"""Where each file of a run stands."""

from pathlib import Path


class RunFolder:
    """`<workspace>/runs/<run id>/`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.run_id = root.name
        """The run's name, which is also the name of its memory."""
        self.config = root / "config.yaml"
        """The resolved configuration."""
        self.lock = root / "lock"
        """Held by the one command that works in this folder."""
        self.events = root / "events.jsonl"
        """Progress, one JSON object a line."""
        self.metrics = root / "metrics.jsonl"
        """Figures of every training step, one JSON object a line."""
        self.summary = root / "summary.json"
        """The figures of every iteration."""
        self.report = root / "report.html"
        """The page that shows them."""
        self.logs = root / "logs"
        """What each process printed."""
        self.memory = root / "memory"
        """Milvus Lite's data."""

    @classmethod
    def of(cls, workspace: Path, run_id: str) -> "RunFolder":
        """The folder of a run in a workspace."""
        return cls(workspace.resolve() / "runs" / run_id)

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
