"""How every server, trainer and step logs: one configuration, to standard error, as text or as JSON."""

import json
import logging
import os
import sys
import time
from collections import defaultdict
from datetime import UTC, datetime

LEVEL_VARIABLE = "RDIVERSE_LOG_LEVEL"
"""debug, info (the default), warning or error."""
FORMAT_VARIABLE = "RDIVERSE_LOG_FORMAT"
"""text (the default) or json: one object a line with time, level, name, run, message and, after a fault, trace."""
RUN_VARIABLE = "RDIVERSE_RUN"
"""The run that a process works for, where its starter knows."""

OURS = ("rdiverse", "rdiverse_pipelines")
_LEVELS = ("debug", "info", "warning", "error")
_FORMATS = ("text", "json")


class LogSettingError(ValueError):
    """A variable of the environment holds what is no setting; the text names it and what it may hold."""


def configure(run: str = "") -> None:
    """Send what this process logs to standard error; again: as if for the first time.

    Other libraries' lines are shown from warnings on. `run` is said in every line until `name_run` says another.
    Raises LogSettingError.
    """
    name_run(os.environ.get(RUN_VARIABLE) or run)
    level = _setting(LEVEL_VARIABLE, _LEVELS, "info")
    lines: type[logging.Formatter] = _Json if _setting(FORMAT_VARIABLE, _FORMATS, "text") == "json" else _Text
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(lines())
    root = logging.getLogger()
    # Of this kind, and not of a kind derived from it, are handlers that write to a terminal and nothing else.
    root.handlers[:] = [handler, *(other for other in root.handlers if type(other) is not logging.StreamHandler)]
    root.setLevel("ERROR" if level == "error" else "WARNING")
    for name in OURS:
        logging.getLogger(name).setLevel(level.upper())


def name_run(run: str) -> None:
    """Say in every line from now on that it is about this run."""
    _Text.run = _Json.run = run


class Seldom:
    """Says a thing at most once in so many seconds, and how often it was held back: a log that callers cannot flood."""

    def __init__(self, log: logging.Logger, seconds: float = 60.0) -> None:
        self._log = log
        self._seconds = seconds
        self._said: dict[str, float] = {}
        self._held_back: defaultdict[str, int] = defaultdict(int)

    def say(self, level: int, key: str, message: str) -> None:
        """Log a message unless another of the same key was logged just now. Keys are few: none that a caller may choose."""
        now = time.monotonic()
        if now - self._said.get(key, -self._seconds) < self._seconds:
            self._held_back[key] += 1
            return
        more = self._held_back.pop(key, 0)
        self._said[key] = now
        self._log.log(level, "%s%s", message, f" (and {more} more like it since the last time)" if more else "")


class _Text(logging.Formatter):
    run = ""

    def format(self, record: logging.LogRecord) -> str:
        # A line break in a message would let a caller write a line of its own.
        message = record.getMessage().replace("\n", "\\n").replace("\r", "\\r")
        run = f" run={self.run}" if self.run else ""
        line = f"{_time(record)} {record.levelname:<7} {record.name}{run} {message}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class _Json(logging.Formatter):
    run = ""

    def format(self, record: logging.LogRecord) -> str:
        found = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "name": record.name,
            "run": self.run,
            "message": record.getMessage(),
        }
        return json.dumps(found | ({"trace": self.formatException(record.exc_info)} if record.exc_info else {}))


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _setting(variable: str, allowed: tuple[str, ...], default: str) -> str:
    value = (os.environ.get(variable) or default).lower()
    if value not in allowed:
        raise LogSettingError(f"{variable}: must be {', '.join(allowed[:-1])} or {allowed[-1]}, not {value!r}")
    return value
