"""Token batches of the corpus: texts of like length together, so that little is padding."""

import hashlib
import random
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from rdiverse.nano.corpus import CorpusText, samples
from rdiverse.nano.tokenizer import EOS, vocabulary
from rdiverse.selfplay.seeds import derive_seed

if TYPE_CHECKING:
    import torch

BATCH = 48
"""Texts in a batch."""
POOL = 16
"""Batches drawn and sorted together."""


def batches(seed: int, count: int) -> "Iterator[tuple[torch.Tensor, torch.Tensor]]":
    """Yield `count` pairs (ids, learned), both [BATCH, length], padded on the right; learned marks what the loss covers."""
    import torch

    ids = {token: index for index, token in enumerate(vocabulary())}
    for rows in islice(_rows(seed), count):
        encoded = [_encode(row, ids) for row in rows]
        length = max(len(tokens) for tokens, _ in encoded)
        tokens = torch.zeros(len(rows), length, dtype=torch.long)
        learned = torch.zeros(len(rows), length, dtype=torch.bool)
        for at, (row, prompt) in enumerate(encoded):
            tokens[at, : len(row)] = torch.tensor(row)
            learned[at, prompt : len(row)] = True
        yield tokens, learned


def corpus_digest(seed: int, count: int) -> str:
    """SHA-256 of the texts of the first `count` batches, in the order in which they are learned."""
    digest = hashlib.sha256()
    for rows in islice(_rows(seed), count):
        for row in rows:
            digest.update(f"{row.prompt}\t{row.completion}\n".encode())
    return digest.hexdigest()


def _rows(seed: int) -> Iterator[list[CorpusText]]:
    pool = 0
    while True:
        drawn = sorted(
            samples(seed, pool * BATCH * POOL, BATCH * POOL), key=lambda row: len(f"{row.prompt} {row.completion}".split())
        )
        groups = [drawn[at : at + BATCH] for at in range(0, len(drawn), BATCH)]
        random.Random(derive_seed(seed, "nano", "order", pool)).shuffle(groups)  # noqa: S311
        yield from groups
        pool += 1


def _encode(row: CorpusText, ids: dict[str, int]) -> tuple[list[int], int]:
    """The ids of a text, end included, and how many of them are its prompt."""
    prompt = [ids[token] for token in row.prompt.split()]
    return [*prompt, *(ids[token] for token in row.completion.split()), ids[EOS]], len(prompt)
