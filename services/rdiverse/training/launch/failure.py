"""Why a phase ended without weights."""

FAILURE_MARK = "training failed: "
"""Begins the line with which a trainer says why it ended."""

LAST_LINES = 20
"""Lines of the log that an error carries."""


class TrainingFailed(RuntimeError):  # noqa: N818 - what happened, not a kind of error
    """A phase ended without weights. The text holds the reason and the last lines of the log."""

    def __init__(self, reason: str, log_lines: list[str] | None = None) -> None:
        """`reason` is one sentence; `log_lines` are the last that the trainer printed."""
        self.reason = reason
        self.log_lines = log_lines or []
        super().__init__("\n".join([reason, *(f"  | {line}" for line in self.log_lines)]))


def failure_of(step: str, log_lines: list[str], otherwise: str) -> TrainingFailed:
    """What a log says about its trainer's end: the reason of the first rank that failed, and the lines before it."""
    for number, line in enumerate(log_lines):
        if FAILURE_MARK in line:
            return TrainingFailed(f"{step}: {line.partition(FAILURE_MARK)[2].strip()}", log_lines[:number][-LAST_LINES:])
    return TrainingFailed(f"{step}: {otherwise}", log_lines[-LAST_LINES:])
