"""The field rules of diversity.proto, in one place. Every fault names its field."""

import re
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from rdiverse.diversity.sam.embedder import Embeddable, Representation
from rdiverse.grpcio_kit.errors import InvalidFieldError
from rdiverse.v1 import diversity_pb2 as pb

MAX_TEXT = 65_536
MAX_SCORE_ITEMS = 8192
MAX_COMMIT_ITEMS = 50_000
MAX_CHUNK_ITEMS = 1024
MAX_CALL_BYTES = 2**30
MAX_ITERATION = 1000
MAX_DIMENSION = 32_768
MAX_REPLAY = 1_000_000
MAX_NEIGHBORS = 100

N = TypeVar("N", int, float)

_RUN = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_REVISION = re.compile(r"[0-9]{1,18}")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def run(field: str, value: str) -> str:
    """A run's name."""
    if not _RUN.fullmatch(value):
        raise InvalidFieldError(field, "must be 1 to 64 characters of [a-z0-9.-], beginning with a letter or digit")
    return value


def digest(field: str, value: str) -> str:
    """A SHA-256 in hexadecimal."""
    if not _DIGEST.fullmatch(value):
        raise InvalidFieldError(field, "must be 64 hexadecimal characters in lower case")
    return value


def between(field: str, value: N, least: N, most: N) -> N:
    """A bounded number; no NaN."""
    if not least <= value <= most:
        raise InvalidFieldError(field, f"must be {least} to {most}, not {value}")
    return value


def revision(field: str, value: str) -> int:
    """A revision; 0 when none is asked for."""
    if not value:
        return 0
    if not _REVISION.fullmatch(value):
        raise InvalidFieldError(field, "must be a revision that this service gave")
    return int(value)


def representation(field: str, value: int) -> Representation:
    """What is embedded."""
    if value == pb.REPRESENTATION_TEXT:
        return Representation.TEXT
    if value in (pb.REPRESENTATION_UNSPECIFIED, pb.REPRESENTATION_PROGRAM):
        return Representation.PROGRAM
    raise InvalidFieldError(field, f"must be a Representation, not {value}")


def text(field: str, value: str, least: int = 0) -> str:
    """A bounded text without control characters, tabs and line ends excepted."""
    if not least <= len(value) <= MAX_TEXT:
        raise InvalidFieldError(field, f"must have {least} to {MAX_TEXT} characters, not {len(value)}")
    if _CONTROL.search(value):
        raise InvalidFieldError(field, "must not hold control characters")
    return value


def vector(field: str, value: bytes) -> NDArray[np.float32] | None:
    """A vector, normalised; None when the caller brings none."""
    if not value:
        return None
    if len(value) % 4 or not 2 <= len(value) // 4 <= MAX_DIMENSION:
        raise InvalidFieldError(field, f"must be 2 to {MAX_DIMENSION} little-endian float32 numbers, not {len(value)} bytes")
    components = np.frombuffer(value, dtype="<f4").astype(np.float64)
    norm = float(np.linalg.norm(components))
    if not np.all(np.isfinite(components)):
        raise InvalidFieldError(field, "must not hold NaN or infinity")
    if norm == 0:
        raise InvalidFieldError(field, "must not be all zero")
    unit: NDArray[np.float32] = (components / norm).astype(np.float32)
    return unit


def item(field: str, value: pb.Item) -> Embeddable:
    """What an item brings to be embedded."""
    question = text(f"{field}.question", value.question, least=1)
    if not question.strip():
        raise InvalidFieldError(f"{field}.question", "must not be blank")
    return Embeddable(question, text(f"{field}.program", value.program), vector(f"{field}.vector", value.vector))


def committed_item(field: str, value: pb.Item) -> Embeddable:
    """As `item`, with the fields that only a commit reads."""
    text(f"{field}.answer", value.answer)
    between(f"{field}.share", value.share, 0, 1)
    return item(field, value)
