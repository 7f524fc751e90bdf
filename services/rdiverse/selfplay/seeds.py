"""Seeds derived from names: the same run draws the same noise again, and no two of its steps draw the same."""

import hashlib


def derive_seed(seed: int, *names: str | int) -> int:
    """Derive a seed in [0, 2**63) from the run's seed and the names of what needs noise, such as "propose" and an iteration."""
    text = "\x1f".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1
