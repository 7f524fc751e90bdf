"""Which remembered items are replayed: uniform, without replacement, the same for the same seed on any machine."""

from collections.abc import Sequence

import numpy as np

from rdiverse.diversity.memory.ledger import Entry
from rdiverse.diversity.memory.protocol import Key


def draw(entries: Sequence[Entry], count: int, seed: int) -> list[Key]:
    """Draw `count` items (all, if fewer) of these iterations.

    Every item gets a hash of seed and position and the smallest are taken, so that the draw depends on no library's
    generator.
    """
    positions = np.arange(sum(entry.items for entry in entries), dtype=np.uint64)
    order = np.argsort(_splitmix(positions + _splitmix(np.full(1, seed, dtype=np.uint64))), kind="stable")[:count]
    starts = np.cumsum([0] + [entry.items for entry in entries])
    which = np.searchsorted(starts, order, side="right") - 1
    return [Key(entries[entry].iteration, int(position - starts[entry])) for entry, position in zip(which, order, strict=True)]


def _splitmix(state: np.ndarray) -> np.ndarray:
    """SplitMix64 (Steele, Lea and Flood 2014): a bijection on 64 bits that scatters neighbours."""
    with np.errstate(over="ignore"):
        mixed = state + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))
