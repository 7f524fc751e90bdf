"""A program embedding without weights: the expression that a function returns, written canonically and hashed.

What is embedded is the computation, not how it is written down: assignments are inlined, variables become V and constants
C, operands of commutative operations are sorted. Paths through the raw syntax tree make everything look alike (a
prototype's median cosine was .82); weighted subtrees of the returned expression do not.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rdiverse.diversity.sam.expression import Expression, returned_expression
from rdiverse.diversity.sam.hashing import hashed
from rdiverse.selfplay.programs import ProgramError, parse_program

NODE_WEIGHT = 0.5
"""A single operation."""
NEIGHBOURHOOD_WEIGHT = 1.0
"""An operation with its operands' operations."""
SUBTREE_WEIGHT = 2.5
"""An operation with everything below it."""
PATH_WEIGHT = 0.5
"""The operations from the root to one leaf."""

_VERSION = 1
_LONG_PATH = 256


class StructuralEncoder:
    """Programs to unit vectors, in process. The same program gives the same bits on every machine."""

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self.version = f"structural-{_VERSION}-{dimension}"
        """Changes whenever the vector of some program changes."""

    def encode(self, programs: Sequence[str]) -> list[NDArray[np.float32] | ProgramError]:
        """One unit vector of shape (dimension,) a program, or why there is none."""
        return [self._encode(program) for program in programs]

    def _encode(self, program: str) -> NDArray[np.float32] | ProgramError:
        try:
            return hashed(features(returned_expression(parse_program(program))), self.dimension)
        except ProgramError as error:
            return error


def features(root: Expression) -> dict[str, float]:
    """The weighted parts of an expression."""
    found: defaultdict[str, float] = defaultdict(float)
    open_nodes = [(root, root.label)]
    while open_nodes:
        node, path = open_nodes.pop()
        found["node " + node.label] += NODE_WEIGHT
        if not node.children:
            found["path " + path] += PATH_WEIGHT
            continue
        found[" ".join(["near", node.label, *(child.label for child in node.children)])] += NEIGHBOURHOOD_WEIGHT
        found["tree " + node.digest] += SUBTREE_WEIGHT
        if len(path) > _LONG_PATH:
            path = hashlib.blake2b(path.encode(), digest_size=12).hexdigest()
        open_nodes.extend((child, f"{path}/{child.label}") for child in node.children)
    return found
