"""Embeddings that may be compared: with each other, and with what a run remembers."""

from collections.abc import Sequence

from rdiverse.diversity.memory.ledger import Ledger, check_compatible
from rdiverse.diversity.sam.embedder import Embeddable, Embedded, Representation, SamEmbedder


class ItemError(ValueError):
    """An item that cannot be used. `part` names the field of the item, "" for the whole of it."""

    def __init__(self, index: int, part: str, message: str) -> None:
        super().__init__(f"item {index}: {message}")
        self.index, self.part, self.message = index, part, message


async def embed_comparable(
    sam: SamEmbedder, items: Sequence[Embeddable], representation: Representation, ledger: Ledger | None, seconds: float
) -> tuple[list[Embedded], str]:
    """SamEmbedder.embed, of vectors of one size that fit to `ledger` (None: to nothing yet).

    Raises ItemError for a vector of another size, IncompatibleError where the memory has other embeddings, and
    DependencyUnavailableError.
    """
    # Before anything is asked of a model: what the caller brings is checked at no cost.
    check_brought(items, ledger.dimension if ledger else 0)
    embedded, version = await sam.embed(items, representation, seconds)
    made = [
        len(result.vector)
        for item, result in zip(items, embedded, strict=True)
        if item.vector is None and result.vector is not None
    ]
    dimension = made[0] if made else 0
    check_brought(items, dimension)
    if ledger is not None:
        check_compatible(ledger, representation, await encoder_of(sam, items, representation), dimension)
    return embedded, version


async def encoder_of(sam: SamEmbedder, items: Sequence[Embeddable], representation: Representation) -> str:
    """Version of the encoder behind the vectors; "" when all of them were brought. Raises DependencyUnavailableError."""
    return await sam.encoder_version(representation) if any(item.vector is None for item in items) else ""


def check_brought(items: Sequence[Embeddable], dimension: int) -> None:
    """Raise ItemError unless all vectors that were brought have `dimension` components; 0: as many as the first one."""
    for index, item in enumerate(items):
        if item.vector is not None:
            dimension = dimension or len(item.vector)
            if len(item.vector) != dimension:
                raise ItemError(index, "vector", f"must have {dimension} components, not {len(item.vector)}")
