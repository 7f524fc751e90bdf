"""Reads a RunConfig from YAML and key=value overrides, with errors that a person can act on."""

import difflib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from rdiverse.config.run import RunConfig


class ConfigError(ValueError):
    """The configuration is wrong; the text names field, value and what is allowed, one line a fault."""


def load_config(path: Path | None, overrides: Sequence[str] = (), **values: Any) -> RunConfig:
    """Read, override and validate a configuration.

    `overrides` are `dotted.key=value` with the value in YAML; `values` are top-level fields that win over both
    (None: not given). Raises ConfigError.
    """
    data = {} if path is None else read_mapping(path)
    for override in overrides:
        _apply(data, override)
    data.update({key: value for key, value in values.items() if value is not None})
    try:
        return RunConfig.model_validate(data)
    except ValidationError as error:
        given = {override.partition("=")[0] for override in overrides}
        given |= {key for key, value in values.items() if value is not None}
        raise ConfigError("\n".join(_placed(line, path, given) for line in faults(error))) from error


def dump_config(config: RunConfig) -> str:
    """The whole configuration, defaults included, as YAML that `load_config` reads back."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def differing_fields(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Dotted names of the fields whose values differ between two dumped configurations, with both values."""
    found: list[str] = []
    for key in sorted({*old, *new}):
        a, b = old.get(key), new.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found += differing_fields(a, b, f"{prefix}{key}.")
        elif a != b:
            found.append(f"{prefix}{key}: {a!r} before, {b!r} now")
    return found


def read_mapping(path: Path) -> dict[str, Any]:
    """A YAML file's mapping; an empty file is an empty one. Raises ConfigError."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not YAML: {error}") from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: must hold a mapping of fields, not a {type(data).__name__}")
    return data


def _placed(fault: str, path: Path | None, given: Collection[str]) -> str:
    """The fault with where its value stood: on the command line or in the file."""
    field = re.split(r": | = ", fault, maxsplit=1)[0]
    if any(f"{field}.".startswith(f"{each}.") for each in given):
        return f"{fault} (on the command line)"
    return f"{path}: {fault}" if path else fault


def _apply(data: dict[str, Any], override: str) -> None:
    key, sign, text = override.partition("=")
    if not sign or not all(key.split(".")):
        raise ConfigError(f"override {override!r}: must be key=value, as in seed=1 or solver.samples=10")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"override {override!r}: the value is not YAML") from error
    *parents, last = key.split(".")
    for parent in parents:
        child = data.setdefault(parent, {})
        if not isinstance(child, dict):
            raise ConfigError(f"override {override!r}: {parent} is a value, not a section")
        data = child
    data[last] = value


def faults(error: ValidationError) -> list[str]:
    """What is wrong, a line a field."""
    lines = []
    for fault in error.errors():
        field = ".".join(str(part) for part in fault["loc"]) or "(the whole configuration)"
        message = _in_our_words(fault["msg"])
        if fault["type"] in {"extra_forbidden", "unexpected_keyword_argument"}:
            lines.append(f"{field}: unknown field{_did_you_mean(fault['loc'])}")
        elif fault["type"] == "missing":
            lines.append(f"{field}: is required")
        elif isinstance(fault["input"], dict):
            lines.append(f"{field}: {message}")
        else:
            lines.append(f"{field} = {fault['input']!r}: {message}")
    return lines


_WORDS = (
    (r"^Value error, ", ""),
    (r"^Input should be a valid integer.*", "must be a whole number"),
    (r"^Input should be a valid number.*", "must be a number"),
    (r"^Input should be a valid boolean.*", "must be true or false"),
    (r"^Input should be a valid string.*", "must be a text"),
    (r"^Input should be a valid (dictionary|mapping).*", "must be a section of fields"),
    (r"^Input should be a valid (list|tuple).*", "must be a list"),
    (r"^String should match pattern ", "must match the pattern "),
    (r"^Input should be ", "must be "),
    (r"greater than or equal to", "at least"),
    (r"less than or equal to", "at most"),
)
"""Pydantic's words, and ours."""


def _in_our_words(message: str) -> str:
    for theirs, ours in _WORDS:
        message = re.sub(theirs, ours, message)
    return message


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """The known name that is most like the given one, as the end of an error; empty where none is."""
    near = difflib.get_close_matches(given, list(known), 1)
    return f"; did you mean {near[0]}?" if near else ""


def _did_you_mean(place: Sequence[str | int]) -> str:
    """For a field that a RunConfig does not have at this place: the one that it has."""
    known: Mapping[str, Any] = RunConfig.model_fields
    for part in place[:-1]:
        section = getattr(known.get(str(part)), "annotation", None)
        known = getattr(section, "model_fields", None) or getattr(section, "__dataclass_fields__", {})
    return did_you_mean(str(place[-1]), known)
